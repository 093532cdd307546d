"""Does cudnn.benchmark slow down a network whose image size never repeats?"""

import torch
from torch import nn

from bench import Settings, Subject, benchmark, higher

from ._varying import cut, sizes


class NextSize(nn.Module):
    """A convolution of another size at every call.  The counter is a buffer, so that it is restored like any state."""

    def __init__(self, n, c):
        super().__init__()
        self.shapes = [(n, c, h, w) for h, w in sizes()]
        self.conv = nn.Conv2d(c, c, 3, padding=1, bias=False)
        self.register_buffer("step", torch.zeros((), dtype=torch.long, device="cpu"))  # read without synchronising

    def forward(self, pixels):
        shape = self.shapes[int(self.step) % len(self.shapes)]
        self.step += 1
        return self.conv(cut(pixels, shape))


@benchmark(
    variants={"off": Settings(cudnn_benchmark=False), "on": Settings(cudnn_benchmark=True)},
    cpu="cudnn.benchmark chooses between cuDNN's GPU kernels; what a CPU has instead is in conv/onednn",
    cuda={"n": [2], "c": [64]},
    phases=("inference",),
    claims=[higher("time", of="on", note="B3")],
)
def cudnn_benchmark_varying(_, n, c):
    """Every size is new, so every call searches; off, cuDNN still has to make a plan for it (pytorch#108474)."""
    module = NextSize(n, c)
    return Subject(module, torch.randn(max(n * c * h * w for n, c, h, w in module.shapes)))
