"""Numbers as they stand in sentences of evidence."""

from __future__ import annotations

import math

BYTES = ((2.0**40, "TiB"), (2.0**30, "GiB"), (2.0**20, "MiB"), (2.0**10, "KiB"))
COUNTS = ((1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k"))


def percent(share: float) -> str:
    """``4.1 %``, ``12 %``, ``0.04 %``: two digits that count."""
    value = 100 * share
    digits = 0 if value == 0 or abs(value) >= 9.95 else min(8, 1 - math.floor(math.log10(abs(value)) + 1e-9))
    return f"{value:.{digits}f} %"


def change(ratio: float, low: float | None = None, high: float | None = None) -> str:
    """A ratio to the baseline: ``+4.1 % [3.6, 4.7]``; from a doubling or halving on ``2.40x [2.35, 2.46]``."""
    factor = not 0.5 < ratio < 2
    middle, *ends = [r if factor else 100 * (r - 1) for r in (ratio, low, high) if r is not None]
    width = max(ends) - min(ends) if len(ends) == 2 else 0.0
    fineness = width / 6 if width else abs(middle) / 30
    digits = max(1, min(4, -math.floor(math.log10(fineness)))) if fineness else 1
    told = f"{middle:.{digits}f}x" if factor else f"{middle:+.{digits}f} %"
    return told + (f" [{ends[0]:.{digits}f}, {ends[1]:.{digits}f}]" if width else "")


def amount(value: float, unit: str) -> str:
    """``1.5 MiB``, ``118 MFLOP``; less than a thousand in full."""
    for size, name in BYTES if unit == "B" else COUNTS:
        if abs(value) >= size:
            number = value / size
            digits = ".3g" if abs(number) < 999.5 else ".0f"  # 1,020 KiB are not yet a MiB
            return f"{number:{digits}} {name}{'' if unit == 'B' else unit}"
    return f"{value:.15g} {unit}".rstrip()
