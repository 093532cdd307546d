"""Is an HWC image that was permuted to CHW something that must be copied?"""

import torch

from bench import Subject, benchmark, identical


def must_be_copied(images):
    """What the note says: other tools have channels last, so images have to be converted."""
    return torch.tensor([False, False])


def seen_by_torch(images):
    """Whether the permuted image is a channels_last tensor, and whether it still shares its memory."""
    permuted = images.permute(0, 3, 1, 2)
    shares = permuted.data_ptr() == images.data_ptr()
    return torch.tensor([permuted.is_contiguous(memory_format=torch.channels_last), shares])


@benchmark(
    variants={"note": must_be_copied, "torch": seen_by_torch},
    cpu={"n": [1, 2], "h": [48], "w": [64]},
    phases=(),
    claims=[identical("output", note="M7")],
)
def image_layout(call, n, h, w):
    """HWC in memory is what PyTorch calls channels_last: only the order of the dimensions has to change."""
    return Subject(call, torch.randint(0, 256, (n, h, w, 3), dtype=torch.uint8))
