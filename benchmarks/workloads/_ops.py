"""Eight small operations as every tool of false_alarms.py times them, each with an optional planted slowdown.

The slowdown is more of the same work, not sleep and not other work: with 5 % planted (``INJECT``) there are 105 rows,
matrices, images or additions instead of 100.  A loop beside the operation would be another share of it whenever clock
or neighbours slow the two differently: one that was 5 % of a convolution in one hour was 10 % in the next.
"""

from __future__ import annotations

import functools
import os
from collections.abc import Callable
from itertools import repeat

import torch
from torch.nn import functional as F

NAMES = ("conv_bias", "conv", "conv_channels_last", "conv_dilated", "contiguous", "bmm", "matmul_broadcast", "add")


def operation(name: str, *, slowed: bool = True) -> Callable[[], None]:
    """The operation on inputs from a fixed seed, with the share in ``INJECT`` more work (0.05 is five percent).

    It returns nothing: more work has a result of another shape, and variants must agree in theirs.
    """
    share = float(os.environ.get("INJECT", "0")) if slowed else 0.0
    call = _operation(name, round(100 * (1 + share)))

    def measured() -> None:
        call()

    return measured


def _operation(name: str, count: int) -> Callable[[], object]:
    generator = torch.Generator().manual_seed(0)

    def drawn(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    if name.startswith("conv"):
        return _convolution(name, drawn(2, 32, count, 56), drawn(32, 32, 3, 3), drawn(32))
    if name == "contiguous":
        return _of_all(0, 64, 22, 23)[:count].permute(0, 2, 3, 1).contiguous
    if name == "add":
        return _additions(drawn(64), count)
    a, b = _of_all(0, 88, 88)[:count], _of_all(1, 88, 88)[:count]
    return (lambda: torch.bmm(a, b)) if name == "bmm" else (lambda: torch.matmul(a, b[0]))


@functools.lru_cache(maxsize=2)
def _of_all(seed: int, *shape: int) -> torch.Tensor:
    """Rows for the most that is planted, in one place for both variants, as the harness sees to where it can."""
    return torch.randn(110, *shape, generator=torch.Generator().manual_seed(seed))


def _convolution(name: str, x: torch.Tensor, w: torch.Tensor, b: torch.Tensor) -> Callable[[], object]:
    if name == "conv_channels_last":
        x, w = x.to(memory_format=torch.channels_last), w.to(memory_format=torch.channels_last)
    options = {"conv_bias": {"bias": b, "padding": 1}, "conv_dilated": {"padding": 2, "dilation": 2}}
    return lambda: F.conv2d(x, w, **options.get(name, {"padding": 1}))


def _additions(small: torch.Tensor, count: int) -> Callable[[], object]:
    def additions() -> None:
        for _ in repeat(None, count):
            small + small

    return additions
