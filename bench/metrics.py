"""What each number is: its unit, which way is better, and whether it is exact.

One table, so that nothing downstream asks "is this memory?".  Names follow ``kind/phase[/sibling]``.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from typing import Literal

from bench.errors import BenchError, hint

Better = Literal["lower", "higher", ""]

PHASES = ("forward", "backward", "inference")
TIME_SIBLINGS = ("hot", "enqueue", "wall", "adjusted", "calm", "calm_adjusted")
TEXT_UNITS = ("", "sha256")  # of metrics whose values may be texts


@dataclass(frozen=True, slots=True, kw_only=True)
class Metric:
    """A named quantity in SI base units; ``exact`` metrics are compared without statistics."""

    name: str
    unit: str
    better: Better
    exact: bool


# prefix -> (unit, better, exact).  The longest matching prefix wins.
_KINDS: dict[str, tuple[str, Better, bool]] = {
    "time": ("s", "lower", False),
    "first_call": ("s", "lower", False),
    "relative": ("", "lower", False),
    "coefficient": ("", "", False),
    "memory/parameters": ("B", "lower", True),
    "memory/peak": ("B", "lower", True),
    "memory/reserved": ("B", "lower", True),
    "memory/nvml": ("B", "lower", False),
    "memory/rss": ("B", "lower", False),
    "work/macs(thop)": ("MAC", "", True),
    "work/flops(torch)": ("FLOP", "", True),
    "work/flops(formula)": ("FLOP", "", True),
    "rate/flops": ("FLOP/s", "higher", False),
    "rate/bytes": ("B/s", "higher", False),
    "bits": ("sha256", "", True),
    "output": ("", "", True),
    "gradient": ("", "", True),
}


def kind(name: str) -> str:
    """The kind a metric name begins with (``time/forward`` -> ``time``), or a BenchError that suggests one."""
    found = [k for k in _KINDS if name == k or name.startswith(k + "/")]
    if not found:
        raise BenchError(f"unknown metric {name!r}; {hint(name, sorted(_KINDS), 'the kinds are')}")
    return max(found, key=len)


def metric(name: str) -> Metric:
    """Look a metric up by its full name."""
    unit, better, exact = _KINDS[kind(name)]
    return Metric(name=name, unit=unit, better=better, exact=exact)


@cache
def is_headline(name: str) -> bool:
    """Whether a metric is the time of a phase itself, and not one of its siblings."""
    return name.startswith("time/") and name.rpartition("/")[2] not in TIME_SIBLINGS


def coefficient_name(headline: str) -> str:
    """The metric that tells how far a headline time follows the processor's clock.

    >>> coefficient_name("time/forward")
    'coefficient/forward'
    """
    return f"coefficient/{headline.partition('/')[2]}"


def relative_name(headline: str) -> str:
    """The metric that tells a headline time as a multiple of what the reference took beside it.

    >>> relative_name("time/forward")
    'relative/forward'
    """
    return f"relative/{headline.partition('/')[2]}"


def covers(claimed: str, name: str) -> bool:
    """Whether a claim on ``claimed`` speaks of metric ``name``: itself, or a phase of it; siblings must be named.

    >>> covers("time", "time/forward"), covers("time", "time/forward/hot"), covers("time/forward", "time/backward")
    (True, False, False)
    """
    return name == claimed or (kind(name) == claimed and name.count("/") == claimed.count("/") + 1)
