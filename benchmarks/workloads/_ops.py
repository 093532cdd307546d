"""Eight small operations as every tool of false_alarms.py times them, each with an optional planted slowdown.

The slowdown is work, not sleep: as many turns of an empty loop as take the asked share of the operation's time on this
machine when it is calm (``CALM``, written once by false_alarms.py), so that every tool is given the same amount.
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
    x = torch.randn(4, 32, 56, 56, generator=generator)
    w, b = torch.randn(32, 32, 3, 3, generator=generator), torch.randn(32, generator=generator)
    m, n = torch.randn(32, 128, 128, generator=generator), torch.randn(32, 128, 128, generator=generator)
    xc, wc = x.to(memory_format=torch.channels_last), w.to(memory_format=torch.channels_last)
    permuted, small = torch.randn(16, 64, 56, 56, generator=generator).permute(0, 2, 3, 1), torch.randn(64)
    makers: dict[str, Callable[[], object]] = {
        "conv_bias": lambda: F.conv2d(x, w, b, padding=1),
        "conv": lambda: F.conv2d(x, w, padding=1),
        "conv_channels_last": lambda: F.conv2d(xc, wc, padding=1),
        "conv_dilated": lambda: F.conv2d(x, w, padding=2, dilation=2),
        "contiguous": permuted.contiguous,
        "bmm": lambda: torch.bmm(m, n),
        "matmul_broadcast": lambda: torch.matmul(m, n[0]),
        "add": lambda: small + small,
    }
    return makers[name]


def busy(turns: int) -> None:
    """Turn an empty loop."""
    for _ in repeat(None, turns):
        pass


def operation(name: str) -> Callable[[], object]:
    """The operation, slowed down by the share in ``INJECT`` (0.05 is five percent); the loop is there at 0, too."""
    call, share = plain(name), float(os.environ.get("INJECT", "0"))
    turns = 0
    if share:
        calm = json.loads(Path(os.environ["CALM"]).read_text(encoding="utf-8"))
        turns = round(share * calm[name] / calm["turn"])

    def measured() -> object:
        busy(turns)
        return call()

    return measured
