"""What does oneDNN bring to convolutions on a CPU?"""

import torch
from torch import nn

from bench import Settings, Subject, benchmark, higher

from ._shapes import CIFAR, CONV2_3X3, conv_flops, points


@benchmark(
    variants={"on": Settings(mkldnn=True), "off": Settings(mkldnn=False)},
    cpu=points([CIFAR, CONV2_3X3], n=[2]),
    cuda="oneDNN computes on the CPU; what a GPU has instead is in conv/cudnn_benchmark",
    claims=[higher("time", of="off"), higher("memory/peak", of="off")],
)
def onednn(_, n, c_in, c_out, k, hw):
    """No note speaks of it: it is the CPU's counterpart of choosing cuDNN's kernels.

    Without oneDNN a convolution copies its image into columns (k * k times the image) and multiplies matrices.
    """
    x = torch.randn(n, c_in, hw, hw)
    conv = nn.Conv2d(c_in, c_out, k, padding=k // 2, bias=False)
    return Subject(conv, x, flops=conv_flops(n, c_in, c_out, k, hw, hw))
