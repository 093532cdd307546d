"""Eight small operations as every tool of false_alarms.py times them, each with an optional planted slowdown.

The slowdown is work, not sleep: as many turns of an empty loop as take the asked share of the operation's time on this
machine (``CALM``, written once by false_alarms.py), so that every tool is given the same amount.
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from itertools import repeat
from pathlib import Path

import torch
from torch.nn import functional as F

NAMES = ("conv_bias", "conv", "conv_channels_last", "conv_dilated", "contiguous", "bmm", "matmul_broadcast", "add")


def plain(name: str) -> Callable[[], object]:
    """An operation without any slowdown, on inputs from a fixed seed."""
    generator = torch.Generator().manual_seed(0)

    def drawn(*shape: int) -> torch.Tensor:
        return torch.randn(*shape, generator=generator)

    if name.startswith("conv"):
        return _convolution(name, drawn(4, 32, 56, 56), drawn(32, 32, 3, 3), drawn(32))
    if name == "contiguous":
        permuted = drawn(16, 64, 56, 56).permute(0, 2, 3, 1)
        return permuted.contiguous
    if name == "add":
        small = drawn(64)
        return lambda: small + small
    a, b = drawn(32, 128, 128), drawn(32, 128, 128)
    return (lambda: torch.bmm(a, b)) if name == "bmm" else (lambda: torch.matmul(a, b[0]))


def _convolution(name: str, x: torch.Tensor, w: torch.Tensor, b: torch.Tensor) -> Callable[[], object]:
    if name == "conv_channels_last":
        x, w = x.to(memory_format=torch.channels_last), w.to(memory_format=torch.channels_last)
    options = {"conv_bias": {"bias": b, "padding": 1}, "conv_dilated": {"padding": 2, "dilation": 2}}
    return lambda: F.conv2d(x, w, **options.get(name, {"padding": 1}))


def busy(turns: int) -> None:
    """Turn an empty loop."""
    for _ in repeat(None, turns):
        pass


def operation(name: str, *, slowed: bool = True) -> Callable[[], object]:
    """The operation, slowed down by the share in ``INJECT`` (0.05 is five percent); the loop is there at 0, too."""
    call, share = plain(name), float(os.environ.get("INJECT", "0")) if slowed else 0.0
    turns = 0
    if share:
        calm = json.loads(Path(os.environ["CALM"]).read_text(encoding="utf-8"))
        turns = round(share * calm[name] / calm["turn"])

    def measured() -> object:
        busy(turns)
        return call()

    return measured
