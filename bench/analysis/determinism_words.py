"""What repeats have shown, and no more: they bound a rate, they prove nothing."""

from __future__ import annotations

from bench.model import Repeatability


def shown(repeats: int, differing: int) -> str:
    """``0 of 20 repeats differed: fewer than 14 % differ, at 95 %``."""
    counts = f"{differing} of {repeats} repeat{'' if repeats == 1 else 's'} differed"
    if differing or not repeats:
        return counts
    return f"{counts}: fewer than {100 * rate_bound(repeats):.0f} % differ, at 95 %"


def rate_bound(repeats: int) -> float:
    """The largest rate of differing repeats that would still have shown none with a probability of 5 %.

    (1 - p)^n = 5 % solved for p: the exact form of the rule of three.
    """
    return float(1 - 0.05 ** (1 / repeats))


def worst(*verdicts: Repeatability) -> Repeatability:
    """The verdict that stands for several."""
    order: tuple[Repeatability, ...] = ("differs", "mutates", "random", "repeats")
    return next(verdict for verdict in order if verdict in verdicts)
