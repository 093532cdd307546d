"""Is a float32 convolution faster in TF32, which PyTorch allows by default, and as exact?"""

import torch
from torch import nn

from bench import Settings, Subject, benchmark, close, lower

from ._shapes import CONV2_3X3, conv_flops, points

LAYOUTS = {"nchw": torch.contiguous_format, "channels_last": torch.channels_last}


@benchmark(
    variants={"ieee": Settings(cudnn_allow_tf32=False), "tf32": Settings(cudnn_allow_tf32=True)},
    cpu="TF32 is a format of NVIDIA's Tensor Cores",
    cuda=points([CONV2_3X3], n=[64], layout=list(LAYOUTS)),
    claims=[lower("time", of="tf32"), close("output"), close("gradient")],
)
def conv_tf32(_, n, c_in, c_out, k, hw, layout):
    """No note speaks of it: TF32 multiplies 10 bits of the mantissa on Tensor Cores, IEEE float32 all 23 without them.

    Which layout suits a network depends on it, so both are asked; the other questions leave the default, TF32.
    """
    x = torch.randn(n, c_in, hw, hw).to(memory_format=LAYOUTS[layout])
    conv = nn.Conv2d(c_in, c_out, k, padding=k // 2, bias=False).to(memory_format=LAYOUTS[layout])
    return Subject(conv, x, flops=conv_flops(n, c_in, c_out, k, hw, hw))
