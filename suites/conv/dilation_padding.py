"""Does padding = dilation keep the size of the image?"""

import torch
import torch.nn.functional as F

from bench import Subject, benchmark, identical

DILATIONS = (1, 2, 4)


def same_size(x, weight, stride):
    """What the note says."""
    return torch.tensor([tuple(x.shape[-2:])] * len(DILATIONS))


def size(x, weight, stride):
    """What PyTorch does: (H + 2P - D(F - 1) - 1) / S + 1, rounded down."""
    outputs = (F.conv2d(x, weight, stride=stride, padding=d, dilation=d) for d in DILATIONS)
    return torch.tensor([tuple(out.shape[-2:]) for out in outputs])


@benchmark(
    variants={"note": same_size, "torch": size},
    cpu={"k": [3, 5], "stride": [1, 2]},
    phases=(),
    claims=[identical("output", note="D5")],
)
def dilation_padding(call, k, stride):
    """True for a 3x3 kernel with stride 1; a 5x5 kernel needs twice the padding, and a stride divides."""
    return Subject(call, torch.randn(1, 2, 24, 40), torch.randn(2, 2, k, k), stride)
