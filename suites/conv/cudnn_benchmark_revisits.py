"""Does cudnn.benchmark search again for an image size that it has seen before?"""

from functools import partial

import torch
import torch.nn.functional as F

from bench import Settings, Subject, benchmark, higher

from ._varying import cut, sizes


def each_size(shapes, pixels, weight):
    """One convolution per size, the last one's output; all images are cut from one buffer."""
    for shape in shapes:
        out = F.conv2d(cut(pixels, shape), weight, padding=1)
    return out


@benchmark(
    variants={"off": Settings(cudnn_benchmark=False), "on": Settings(cudnn_benchmark=True)},
    cpu="cudnn.benchmark chooses between cuDNN's GPU kernels; what a CPU has instead is in conv/onednn",
    cuda={"n": [2], "c": [64], "count": [4, 64]},
    phases=("inference",),
    claims=[higher("first_call", of="on", note="B2"), higher("time", of="on", note="B4")],
)
def cudnn_benchmark_revisits(_, n, c, count):
    """Every call goes through the same sizes: the first one searches for each, the later ones find them all cached."""
    shapes = [(n, c, h, w) for h, w in sizes(count)]
    pixels = torch.randn(max(n * c * h * w for n, c, h, w in shapes))
    return Subject(partial(each_size, shapes), pixels, torch.randn(c, c, 3, 3) / (9 * c) ** 0.5)
