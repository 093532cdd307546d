"""Do grouped and depthwise convolutions gain from channels_last as well?"""

import torch
from torch import nn

from bench import Subject, benchmark, close, large, lower

from ._shapes import conv_bytes, conv_flops

# ResNeXt-50 32x4d (Xie et al. 2016, table 1), MobileNetV2 (Sandler et al. 2018, table 2) and ConvNeXt-T (Liu et al.
# 2022, table 9) at 224 pixels; pytorch#34977 reported the last one, 35 times slower than NCHW at the time.
RESNEXT = {"c": 128, "k": 3, "hw": 56, "groups": 32}
MOBILENET = {"c": 144, "k": 3, "hw": 56, "groups": 144}
CONVNEXT = {"c": 96, "k": 7, "hw": 56, "groups": 96}
PYTORCH_34977 = {"c": 2048, "k": 3, "hw": 14, "groups": 32}


@benchmark(
    variants={"nchw": torch.contiguous_format, "channels_last": torch.channels_last},
    cpu=[{**layer, "n": 1, "dtype": "float32"} for layer in (RESNEXT, MOBILENET)],
    cuda=[
        {**RESNEXT, "n": 1, "dtype": "float16"},  # launch-bound on purpose
        *({**layer, "n": 64, "dtype": "float16"} for layer in (RESNEXT, MOBILENET)),
        *(large({**layer, "n": 64, "dtype": "float32"}) for layer in (RESNEXT, MOBILENET)),
        large({**CONVNEXT, "n": 128, "dtype": "float16"}),
        large({**PYTORCH_34977, "n": 100, "dtype": "float16"}),
    ],
    bytes_needed=lambda layout, n, c, k, hw, groups, dtype: conv_bytes(n, c, c, k, hw, hw, groups),
    claims=[lower("time", of="channels_last", note="M6"), close("output", note="M4")],
)
def channels_last_grouped(layout, n, c, k, hw, groups, dtype):
    """Few channels meet in one product, so matrix units idle, and libraries keep fewer kernels for these shapes."""
    dtype = getattr(torch, dtype)
    x = torch.randn(n, c, hw, hw, dtype=dtype).to(memory_format=layout)
    conv = nn.Conv2d(c, c, k, padding=k // 2, groups=groups, bias=False, dtype=dtype).to(memory_format=layout)
    return Subject(conv, x, flops=conv_flops(n, c, c, k, hw, hw, groups))
