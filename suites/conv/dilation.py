"""Does dilation cost computation, time or memory?"""

import torch
from torch import nn

from bench import Subject, benchmark, large, unchanged

from ._shapes import conv_bytes, conv_flops

# A layer reported as slow when dilated (pytorch#15054), and the pyramid of DeepLab v3 at 513 pixels and output
# stride 16 (Chen et al. 2017, "Rethinking Atrous Convolution").
PYTORCH_15054 = {"c_in": 47, "c_out": 64, "h": 24, "w": 40}
ASPP = {"c_in": 2048, "c_out": 256, "h": 33, "w": 33}


@benchmark(
    variants={"d1": 1, "d2": 2, "d4": 4, "d8": 8},
    cpu=[
        {"n": 4, "c_in": 16, "c_out": 16, "h": 64, "w": 64},
        {"n": 1, **PYTORCH_15054},
        {"n": 1, "c_in": 128, "c_out": 128, "h": 28, "w": 28},
    ],
    cuda=[
        {"n": 1, **PYTORCH_15054},  # launch-bound on purpose
        {"n": 16, **ASPP},
        large({"n": 512, **PYTORCH_15054}),
        large({"n": 64, "c_in": 512, "c_out": 512, "h": 28, "w": 28}),
        large({"n": 64, **ASPP}),
        large({"n": 32, "c_in": 64, "c_out": 64, "h": 256, "w": 256}),
    ],
    bytes_needed=lambda d, n, c_in, c_out, h, w: conv_bytes(n, c_in, c_out, 3, h, w),
    claims=[
        unchanged("work/flops(torch)", note="D1"),
        unchanged("work/macs(thop)", note="D1"),
        unchanged("time", within="3%", note="D2"),
        unchanged("memory/peak", note="D3"),
    ],
)
def dilation(d, n, c_in, c_out, h, w):
    """The kernel has as many taps at any dilation, so counters see no difference; they see neither borders nor caches.

    With padding = dilation the output has the same size.  Taps that are further apart share fewer cache lines, and
    some algorithms (Winograd, FFT) do not exist for them.  They also fall outside the image more often: a kernel that
    skips those gets faster as the dilation grows, because it does less.
    """
    x = torch.randn(n, c_in, h, w)
    conv = nn.Conv2d(c_in, c_out, 3, padding=d, dilation=d, bias=False)
    return Subject(conv, x, flops=conv_flops(n, c_in, c_out, 3, h, w))
