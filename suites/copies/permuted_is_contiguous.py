"""Is the result of transpose or permute never contiguous?"""

import torch

from bench import Subject, benchmark, identical

PERMUTED = {
    "matrix": lambda: torch.randn(4, 6).transpose(0, 1),
    "nchw_to_nhwc": lambda: torch.randn(2, 3, 4, 6).permute(0, 2, 3, 1),
    "size_1": lambda: torch.randn(4, 1, 6).transpose(0, 1),
    "and_back": lambda: torch.randn(2, 3, 4, 6).permute(0, 2, 3, 1).permute(0, 3, 1, 2),
    "channels_last": lambda: torch.randn(2, 3, 4, 6).to(memory_format=torch.channels_last).permute(0, 2, 3, 1),
}


def never(x):
    """What the note says."""
    return torch.tensor(False)


def is_contiguous(x):
    return torch.tensor(x.is_contiguous())


@benchmark(
    variants={"note": never, "torch": is_contiguous},
    cpu={"case": list(PERMUTED)},
    phases=(),
    claims=[identical("output", note="K5")],
)
def permuted_is_contiguous(call, case):
    """Contiguous is a property of strides, not of history; a dimension of size 1 has no stride that matters."""
    return Subject(call, PERMUTED[case]())
