"""What became of one case and metric between two reports: a state, its numbers and its reason."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal, NamedTuple

from bench.analysis.comparability import Difference
from bench.metrics import Better

State = Literal[
    "worse", "failed", "missing", "invalid", "incomparable", "unresolved", "better", "skipped", "new", "same"
]
# In the order in which a reader wants to hear of them.
STATES: tuple[State, ...] = (
    *("worse", "failed", "missing", "invalid", "incomparable"),
    *("unresolved", "better", "skipped", "new", "same"),
)


class Change(NamedTuple):
    """One case x metric in two reports.

    An empty ``metric`` speaks of the whole case, an empty ``case`` of the whole report.  ``base``, ``new``: the values
    as reported, in ``unit``.  ``ratio`` (new / base) with its interval is what was tested: of adjusted times where
    ``adjusted`` says so, of multiples of what the reference took where ``relative`` does; ``raw_ratio`` is of the
    values as reported.  ``p``: probability of a difference this large with the true one at the ``floor``; ``fdr``: the
    false-discovery rate at which it would be called a change.
    ``machine``: how much longer the metronomes took meanwhile, as a ratio.  ``base_values``, ``new_values``: of the
    processes, as they were tested (of `ab`: 1, and the ratio of each process).
    ``bits``: ``same bits``, ``other bits`` or unknown.  ``excused``: why this does not count for the exit status.
    """

    case: str
    state: State
    metric: str = ""
    reason: str = ""
    unit: str = ""
    better: Better = ""
    base: float | str | None = None
    new: float | str | None = None
    ratio: float | None = None
    low: float | None = None
    high: float | None = None
    raw_ratio: float | None = None
    adjusted: bool = False
    relative: bool = False
    p: float | None = None
    fdr: float | None = None
    floor: float | None = None
    machine: float | None = None
    base_values: tuple[float, ...] = ()
    new_values: tuple[float, ...] = ()
    base_processes: int = 0
    new_processes: int = 0
    bits: str = ""
    excused: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pair:
    """Two reports compared: what differs around them, then every change, the strongest evidence first."""

    base: str
    new: str
    differences: tuple[Difference, ...] = ()
    unknown_facts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    hints: tuple[str, ...] = ()
    changes: tuple[Change, ...] = ()

    def count(self, state: State) -> int:
        """How many changes have a state."""
        return sum(change.state == state for change in self.changes)


@dataclass(frozen=True, slots=True, kw_only=True)
class Comparison:
    """Every NEW against BASE in ``pairs``, which decide; of three reports or more, ``steps`` has each against the next.

    ``floor``: the smallest change that counts; ``fdr``: share of false alarms among the alarms; ``confidence`` of
    intervals; ``notes``: what else a reader must know, such as an entry of the accept file that has expired.
    """

    pairs: tuple[Pair, ...]
    steps: tuple[Pair, ...] = ()
    floor: float
    fdr: float
    confidence: float
    notes: tuple[str, ...] = ()

    @property
    def changes(self) -> tuple[Change, ...]:
        """The changes that decide the exit status."""
        return tuple(change for pair in self.pairs for change in pair.changes)
