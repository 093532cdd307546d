"""A summary arranged as people read it: benchmark by benchmark, point by point, baseline first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from bench.analysis.summary import Summary
from bench.metrics import kind
from bench.model import (
    Case,
    Check,
    Claim,
    Decision,
    Declaration,
    Estimate,
    Record,
    Value,
    Verdict,
    format_value,
    grouped,
)

T = TypeVar("T")

# Worst first: the order of verdicts in every report.
DECISIONS: tuple[Decision, ...] = ("refuted", "undecided", "confirmed", "not applicable")


@dataclass(frozen=True, slots=True, kw_only=True)
class Cell:
    """One case with everything known of it: estimates by metric, and its records, process 0 first."""

    case: Case
    estimates: Mapping[str, Estimate] = field(default_factory=dict)
    records: tuple[Record, ...] = ()

    @property
    def checks(self) -> tuple[Check, ...]:
        return tuple(check for record in self.records for check in record.checks)

    @property
    def problem(self) -> Estimate | None:
        """The first estimate that has no trustworthy number, if any."""
        return next((e for e in self.estimates.values() if e.status != "ok"), None)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """All variants of one benchmark at one point on one device: a group.

    ``point``: the axes in which the benchmark's points differ, for people: ``c=16 n=4``.
    """

    name: str
    point: str
    device: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One benchmark: its declaration, its groups, and what became of its claims.

    ``common``: the axes that are the same at all its points.  ``phases``: those that were timed, in the order declared.
    """

    declaration: Declaration
    common: str
    phases: tuple[str, ...]
    rows: tuple[Row, ...]
    verdicts: tuple[Verdict, ...]

    @property
    def name(self) -> str:
        return self.declaration.name

    @property
    def title(self) -> str:
        return self.declaration.question or self.name

    def number(self, variant: str) -> int:
        """A variant's number in the declaration; it decides its look in pictures."""
        variants = self.declaration.variants
        return variants.index(variant) if variant in variants else len(variants)

    def numbered(self, numbers: Iterable[int]) -> tuple[tuple[int, str], ...]:
        """Numbers of variants with their names, in the order declared."""
        variants = self.declaration.variants
        return tuple((n, variants[n] if n < len(variants) else "other") for n in sorted(numbers))


def sections(summary: Summary) -> tuple[Section, ...]:
    """Every benchmark of the manifest in its order, those that were skipped or never reached included."""
    cells = _cells(summary)
    verdicts = grouped(summary.verdicts, lambda verdict: verdict.case.name_of_benchmark)
    cases = grouped(summary.manifest.cases, lambda case: case.name_of_benchmark)
    return tuple(
        Section(
            declaration=d,
            common=_text(point for case in cases[d.name][:1] for point in case.point if point not in varying),
            phases=_phases(d, [cells[case.id] for case in cases[d.name]]),
            rows=_rows(cases[d.name], cells, varying),
            verdicts=tuple(verdicts[d.name]),
        )
        for d in summary.manifest.declarations
        for varying in [_varying(cases[d.name])]
    )


def _phases(declaration: Declaration, cells: Iterable[Cell]) -> tuple[str, ...]:
    named = {name.split("/")[1] for cell in cells for name in cell.estimates if kind(name) == "time"}
    return tuple(phase for phase in declaration.phases if phase in named)


def _varying(cases: Iterable[Case]) -> frozenset[tuple[str, Value]]:
    """The axis values that not all points share."""
    points = [frozenset(case.point) for case in cases]
    return frozenset().union(*points) - frozenset.intersection(*points) if points else frozenset()


def _text(point: Iterable[tuple[str, Value]]) -> str:
    return " ".join(f"{name}={format_value(value)}" for name, value in point)


def _cells(summary: Summary) -> dict[str, Cell]:
    estimates: defaultdict[str, dict[str, Estimate]] = defaultdict(dict)
    for estimate in summary.estimates:
        estimates[estimate.case.id][estimate.metric] = estimate
    records = grouped(sorted(summary.records, key=lambda r: r.process), lambda record: record.case.id)
    return {
        case.id: Cell(case=case, estimates=estimates[case.id], records=tuple(records[case.id]))
        for case in summary.manifest.cases
    }


def _rows(cases: Iterable[Case], cells: Mapping[str, Cell], varying: frozenset[tuple[str, Value]]) -> tuple[Row, ...]:
    return tuple(
        Row(
            name=name,
            point=_text(axis for axis in members[0].point if axis in varying),
            device=members[0].device,
            cells=tuple(cells[case.id] for case in sorted(members, key=lambda case: not case.is_baseline)),
        )
        for name, members in grouped(cases, lambda case: case.group).items()
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What became of one claim wherever it was judged alike; the verdict with the largest effect comes first.

    ``judged``: how many judgements of the claim there are in all, those that came out otherwise included.  ``point``:
    where the first verdict was reached, by the axes in which the benchmark's points differ.
    """

    benchmark: str
    point: str
    claim: Claim
    decision: Decision
    verdicts: tuple[Verdict, ...]
    judged: int


def findings(sections: Iterable[Section]) -> tuple[Finding, ...]:
    """Every claim that was judged, the benchmarks and claims with the worst outcome first; at most one per decision."""
    found = [[_of_claim(section, claim) for claim in _claims(section)] for section in sections]
    by_benchmark = [sorted((f for f in some if f), key=lambda f: badness(f[0].verdicts[0])[0]) for some in found]
    by_benchmark.sort(key=lambda some: badness(some[0][0].verdicts[0])[0] if some else len(DECISIONS))
    return tuple(finding for some in by_benchmark for of_claim in some for finding in of_claim)


def _claims(section: Section) -> tuple[Claim, ...]:
    return tuple(dict.fromkeys(verdict.claim for verdict in section.verdicts))


def _of_claim(section: Section, claim: Claim) -> tuple[Finding, ...]:
    points = {cell.case.id: row.point for row in section.rows for cell in row.cells}
    applicable = (v for v in section.verdicts if v.claim == claim and v.decision != "not applicable")
    judged = sorted(applicable, key=badness)
    return tuple(
        Finding(
            benchmark=section.name,
            point=points.get(alike[0].case.id, ""),
            claim=claim,
            decision=decision,
            verdicts=alike,
            judged=len(judged),
        )
        for decision in DECISIONS
        if (alike := tuple(v for v in judged if v.decision == decision))
    )


def badness(verdict: Verdict) -> tuple[int, float]:
    """Sorts verdicts, the worst and the largest effect first."""
    return DECISIONS.index(verdict.decision), -abs((verdict.ratio or 1.0) - 1.0)
