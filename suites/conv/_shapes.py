"""Layers of real networks as axis values, and the work a convolution does."""

import itertools
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

Layer = Mapping[str, Any]

# He et al. 2015, "Deep Residual Learning", section 4.2: the first stage of the CIFAR-10 networks.
CIFAR = {"c_in": 16, "c_out": 16, "k": 3, "hw": 32}

# The same paper, table 1, the 50-layer network at 224 pixels: one layer of every kind (the 7x7 stem left out).
CONV2_3X3 = {"c_in": 64, "c_out": 64, "k": 3, "hw": 56}
CONV2_REDUCE = {"c_in": 256, "c_out": 64, "k": 1, "hw": 56}
CONV2_EXPAND = {"c_in": 64, "c_out": 256, "k": 1, "hw": 56}
CONV3_3X3 = {"c_in": 128, "c_out": 128, "k": 3, "hw": 28}
CONV4_3X3 = {"c_in": 256, "c_out": 256, "k": 3, "hw": 14}
CONV5_3X3 = {"c_in": 512, "c_out": 512, "k": 3, "hw": 7}
CONV5_EXPAND = {"c_in": 512, "c_out": 2048, "k": 1, "hw": 7}
RESNET50 = (CONV2_3X3, CONV2_REDUCE, CONV2_EXPAND, CONV3_3X3, CONV4_3X3, CONV5_3X3, CONV5_EXPAND)

# Simonyan and Zisserman 2014, table 1; Ronneberger et al. 2015, figure 1 (padded, at 256 pixels as is usual today).
VGG = ({"c_in": 64, "c_out": 128, "k": 3, "hw": 112}, {"c_in": 512, "c_out": 512, "k": 3, "hw": 28})
UNET = {"c_in": 64, "c_out": 64, "k": 3, "hw": 256}


def points(layers: Iterable[Layer], **axes: Sequence[Any]) -> list[dict[str, Any]]:
    """Every layer at every combination of the other axes: ``points(RESNET50, n=[64], dtype=["bfloat16"])``."""
    rows = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    return [{**layer, **row} for row in rows for layer in layers]


def besides(*layers: Layer) -> list[Layer]:
    """The layers of ResNet-50, VGG and U-Net without these."""
    return [layer for layer in (*RESNET50, *VGG, UNET) if layer not in layers]


def on_gpu(layers: Iterable[Layer], dtype: str) -> list[dict[str, Any]]:
    """Layers at the smallest batch, a power of two, that moves twice what an H100 caches (50 MB) in half precision.

    No larger, because the harness draws a gradient for every output on the host.
    """
    return [{**layer, "n": _batch(**layer), "dtype": dtype} for layer in layers]


def _batch(c_in: int, c_out: int, k: int, hw: int) -> int:
    numbers = (c_in + c_out) * hw * hw
    return next(n for n in (2**i for i in itertools.count()) if 2 * n * numbers >= 100e6)


def conv_bytes(n: int, c_in: int, c_out: int, k: int, height: int, width: int, groups: int = 1) -> int:
    """Memory that measuring a convolution takes at most: 100 bytes for every number it reads or writes.

    Inputs, outputs and gradients of some variants beside each other, or their comparison with float64.
    """
    return 100 * (n * (c_in + c_out) * height * width + c_out * (c_in // groups) * k * k)


def conv_flops(n: int, c_in: int, c_out: int, k: int, height: int, width: int, groups: int = 1) -> dict[str, int]:
    """Floating-point operations of a convolution by phase: a multiply and an add per tap, counted at borders too.

    Backward is two convolutions of that size: the gradients of the input and of the weight.
    """
    forward = 2 * n * c_out * height * width * (c_in // groups) * k * k
    return {"forward": forward, "backward": 2 * forward}
