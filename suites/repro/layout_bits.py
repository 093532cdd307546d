"""Does a convolution give the same bits in NCHW and in channels_last?"""

import torch
import torch.nn.functional as F

from bench import Subject, benchmark, identical


@benchmark(
    variants={"nchw": torch.contiguous_format, "channels_last": torch.channels_last},
    cpu={"k": [1, 3]},
    cuda={"k": [1, 3], "n": [256]},
    bytes_needed=lambda layout, k, n=4: 100 * 2 * n * 64 * 28 * 28,
    phases=("forward", "backward"),
    claims=[identical("output", note="M4"), identical("gradient", note="M4")],
)
def layout_bits(layout, k, n=4):
    """The same numbers within rounding, see ``conv/channels_last_training``; another kernel adds in another order."""
    x, weight = torch.randn(n, 64, 28, 28), torch.randn(64, 64, k, k)
    x, weight = (t.contiguous(memory_format=layout) for t in (x, weight))
    return Subject(lambda image, w: F.conv2d(image, w, padding=k // 2), x, weight)
