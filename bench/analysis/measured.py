"""All that the records of one case say, process by process; what is computed is kept for the case's other readers."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property

from bench.analysis import metronome
from bench.analysis.calm import Rounds, best, calm_rounds
from bench.analysis.intervals import FEWEST, ProcessValue
from bench.analysis.rows import Series, largest
from bench.analysis.times import Times, times_of
from bench.model import Case, Record, grouped

# In a record's values: an input to rates, and no metric of its own.
MOVED = "bytes_moved"
# What a rate is made of, the author's formula first: torch's counter does not know every operator.
WORK = {"rate/flops": ("work/flops(formula)", "work/flops(torch)"), "rate/bytes": (MOVED,)}


@dataclass(frozen=True, kw_only=True)
class Measured:
    """All that is known of one case; no slots, because what is computed is kept for the other variants."""

    case: Case
    records: tuple[Record, ...]
    at_best: Mapping[str, float]
    kept: dict[tuple[str, str], Times | None] = field(default_factory=dict)

    @cached_property
    def timed(self) -> dict[int, Record]:
        """process -> record with samples."""
        return {r.process: r for r in self.records if r.process and r.samples}

    @cached_property
    def lost(self) -> tuple[Record, ...]:
        return tuple(r for r in self.records if r.status != "ok")

    @cached_property
    def phases(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(s.phase for r in self.timed.values() for s in r.samples))

    @cached_property
    def beats(self) -> dict[int, float]:
        return metronome.beats(self.timed)

    @cached_property
    def calm(self) -> dict[int, Rounds]:
        """process -> which rounds were calm; a GPU has a clock for a metronome, and no neighbours."""
        records = self.timed if self.case.device == "cpu" else {}
        return {p: calm_rounds(r, self.at_best) for p, r in records.items()}

    @cached_property
    def values(self) -> dict[str, dict[int, float | str]]:
        """metric -> process -> value."""
        found: dict[str, dict[int, float | str]] = defaultdict(dict)
        for record in self.records:
            for name, value in record.values.items():
                found[name][record.process] = value
        return found

    def of(self, phase: str, sibling: str = "") -> Times | None:
        key = phase, sibling
        if key not in self.kept:
            self.kept[key] = times_of(tuple(self.timed.values()), phase, sibling)
        return self.kept[key]

    def good(self, phase: str, sibling: str = "") -> Times | None:
        """The times where they give a number."""
        times = self.of(phase, sibling)
        return None if times is None or times.trouble or self.too_few(times) else times

    def too_few(self, times: Times) -> bool:
        """Whether some processes failed and the others are not enough to go on."""
        return bool(self.lost) and len(times.by_process) < FEWEST

    def adjusted(self, phase: str) -> metronome.Adjustment:
        times = self.good(phase)
        if times is None:
            return metronome.Adjustment()
        return metronome.adjust(times.by_process, self.beats, self.case.device)

    def first_calls(self, phase: str) -> Series:
        calls = {p: s.first_call for p, r in self.timed.items() for s in r.samples if s.phase == phase}
        return Series(logs={p: math.log(s) for p, s in calls.items() if s is not None and 0 < s < math.inf})

    def work(self, kind: str, phase: str) -> float:
        """Work of a call of a phase by the first count that is known; 0 when none is."""
        for name in WORK[kind]:
            found = self.values.get(f"{name}/{phase}") or (phase != "backward" and self.values.get(name))
            amount = largest(tuple(found.values())) if found else 0.0
            if not isinstance(amount, str) and 0 < amount < math.inf:
                return amount
        return 0.0


def cases_of(records: Sequence[Record]) -> dict[Case, Measured]:
    """The cases of some records, in their order."""
    by_case, at_best = grouped(records, lambda record: record.case), best(records)
    return {case: Measured(case=case, records=tuple(of), at_best=at_best) for case, of in by_case.items()}


Ratios = dict[tuple[str, str], ProcessValue]


def process_log_ratios(records: Sequence[Record], reference: Sequence[Record] = ()) -> Ratios:
    """What one process adds to the series that ``stopping`` looks at: (variant, phase) -> median log ratio, variance.

    ``records``: of one process of one group; ``reference``: of the environment beside which it was timed, to which
    each case has a ratio of its own.  Where nothing can be paired (a single variant, a baseline that failed) the log
    times themselves stand in, under names of their own.
    """
    cases = cases_of(records)
    baseline = next((m for case, m in cases.items() if case.is_baseline), None)
    others = {case: m for case, m in cases.items() if not case.is_baseline}
    ratios = {key: r for case, m in others.items() for key, r in _ratios(m, baseline).items()}
    for (variant, phase), ratio in side_log_ratios(records, reference).items():
        ratios[variant, f"{phase} beside the reference"] = ratio
    return ratios or {
        (case.variant, f"{phase} alone"): ProcessValue(value)
        for case, measured in cases.items()
        for phase in measured.phases
        for times in [measured.of(phase)]
        if times
        for value in times.by_process.values()
    }


def side_log_ratios(records: Sequence[Record], base: Sequence[Record]) -> Ratios:
    """(variant, phase) -> log of a case's time over that on the base's side, in one process of one group."""
    of_base = cases_of(base)
    found = {case: _ratios(measured, of_base.get(case)) for case, measured in cases_of(records).items()}
    return {key: ratio for ratios in found.values() for key, ratio in ratios.items()}


def _ratios(mine: Measured, base: Measured | None) -> Ratios:
    """In one process, over the rounds that are valid for both."""
    return {
        (mine.case.variant, phase): ratio
        for phase in mine.phases
        for times, theirs in [(mine.of(phase), base and base.of(phase))]
        if times and theirs
        for ratio in times.ratios_to(theirs).values()
    }
