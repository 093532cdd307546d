"""Does cudnn.benchmark slow down a network whose image size changes, each time that it changes?"""

import random
from functools import partial

import torch
import torch.nn.functional as F

from bench import Settings, Subject, benchmark, higher, large

from ._shapes import conv_bytes


def shapes(n, c, count):
    """Height and width from 400 to 600, as in pytorch#2759, always the same in the same random order."""
    sizes = [(h, w) for h in range(400, 601) for w in range(400, 601)]
    return [(n, c, h, w) for h, w in random.Random(0).sample(sizes, count)]


def each(shapes, pixels, weight):
    """One convolution per shape and the last one's output; all images are cut from one buffer, without a copy."""
    for n, c, h, w in shapes:
        out = F.conv2d(pixels[: n * c * h * w].view(n, c, h, w), weight, padding=1)
    return out


@benchmark(
    variants={"off": Settings(cudnn_benchmark=False), "on": Settings(cudnn_benchmark=True)},
    cpu="cudnn.benchmark chooses between cuDNN's GPU kernels; what a CPU has instead is in conv/onednn",
    cuda={"n": [2], "c": [64], "count": [1, 64, large(8)]},
    bytes_needed=lambda _, n, c, count: conv_bytes(n, c, c, 3, 600, 600),
    phases=("inference",),
    claims=[
        higher("first_call", of="on", at={"count": 1}, note="B2"),
        higher("first_call", of="on", at={"count": 64}, note="B3"),
        higher("time", of="on", note="B4"),
    ],
)
def cudnn_benchmark_varying(_, n, c, count):
    """Every call goes through ``count`` sizes: all are new to the first one, which searches for each of them.

    Later calls (the time) find each size in a cache that lasts as long as the process.  Off, cuDNN has to make a plan
    for a new size too (pytorch#108474), without timing candidates.
    """
    images = shapes(n, c, count)
    pixels = torch.randn(n * c * 600 * 600)
    return Subject(partial(each, images), pixels, torch.randn(c, c, 3, 3) / (9 * c) ** 0.5)
