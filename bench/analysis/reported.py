"""What ``compare`` reads, whatever wrote it: rows by case and metric, the facts of the machine, what is unknown."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from typing import NamedTuple

from bench.errors import BenchError
from bench.metrics import Better, metric

# Rows made of the determinism checks of a report folder: ``repeats/<level>/<what>``, their value is the verdict.
REPEATS = "repeats/"
BITS = "bits"


class Row(NamedTuple):  # a report has hundreds of thousands, and a dataclass that is frozen takes three times as long
    """One case x metric as a report gives it.  ``line`` is where it stands in its file, for messages."""

    case: str
    metric: str
    unit: str = ""
    better: Better = ""
    status: str = "ok"
    reason: str = ""
    value: float | str | None = None
    low: float | None = None
    high: float | None = None
    process_values: tuple[float, ...] = ()
    process_variances: tuple[float, ...] = ()
    version: str = ""
    line: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """One side of a comparison.

    ``name``: as the user gave it; ``file``: for messages.  ``rows``: case -> metric -> row, in the order of the file.
    ``facts``: fact -> its distinct values; what is not known is absent.  ``planned``: the cases of the manifest.
    ``unfinished``: why this is only a part of a report.  ``unknown``: what another tool's format does not say, so
    that no difference can be judged.  ``measured``: when, UTC.  ``notes``: what else a reader must know of it.
    """

    name: str
    file: str
    rows: Mapping[str, Mapping[str, Row]]
    facts: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    planned: tuple[str, ...] = ()
    unfinished: str = ""
    unknown: str = ""
    measured: str = ""
    notes: tuple[str, ...] = ()


@cache
def is_exact(name: str) -> bool:
    """Whether a metric's values are compared without statistics; metrics of other programs are not."""
    if name.startswith(REPEATS):
        return True
    try:
        return metric(name).exact
    except BenchError:
        return False


@cache
def is_judged(name: str) -> bool:
    """Whether a metric has a verdict of its own.

    Rates are times again, calm, adjusted and relative times stand in for raw ones, coefficients are the machine's.
    Memory as the system or the driver sees it is taken once in a run, so its noise is unknown; the allocator's peak is
    exact, and what to gate on.
    """
    stands_in = name.endswith(("/adjusted", "/calm", "/calm_adjusted"))
    return not stands_in and not name.startswith(("rate/", "relative/", "coefficient/", "memory/rss", "memory/nvml"))
