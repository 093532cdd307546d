"""A summary arranged as people read it: benchmark by benchmark, point by point, baseline first."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeVar

from bench.analysis.summary import Summary
from bench.metrics import kind
from bench.model import Case, Check, Claim, Decision, Declaration, Estimate, Record, Verdict, format_value

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
    """All variants of one benchmark at one point on one device: a group."""

    name: str
    point: str
    device: str
    cells: tuple[Cell, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Section:
    """One benchmark: its declaration, its groups, and what became of its claims."""

    declaration: Declaration
    rows: tuple[Row, ...]
    verdicts: tuple[Verdict, ...]

    @property
    def name(self) -> str:
        return f"{self.declaration.suite}/{self.declaration.benchmark}"

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

    @property
    def phases(self) -> tuple[str, ...]:
        """The phases that were timed, in the order declared."""
        timed = {m.split("/")[1] for row in self.rows for c in row.cells for m in c.estimates if kind(m) == "time"}
        return tuple(phase for phase in self.declaration.phases if phase in timed)


def sections(summary: Summary) -> tuple[Section, ...]:
    """Every benchmark of the manifest in its order, those that were skipped or never reached included."""
    cells = _cells(summary)
    verdicts = _by_benchmark((v.case, v) for v in summary.verdicts)
    cases = _by_benchmark((case, case) for case in summary.manifest.cases)
    return tuple(
        Section(declaration=d, rows=_rows(cases[key], cells), verdicts=tuple(verdicts[key]))
        for d in summary.manifest.declarations
        for key in [(d.suite, d.benchmark)]
    )


def _by_benchmark(pairs: Iterable[tuple[Case, T]]) -> defaultdict[tuple[str, str], list[T]]:
    found: defaultdict[tuple[str, str], list[T]] = defaultdict(list)
    for case, value in pairs:
        found[case.suite, case.benchmark].append(value)
    return found


def _cells(summary: Summary) -> dict[str, Cell]:
    estimates: defaultdict[str, dict[str, Estimate]] = defaultdict(dict)
    for estimate in summary.estimates:
        estimates[estimate.case.id][estimate.metric] = estimate
    records: defaultdict[str, list[Record]] = defaultdict(list)
    for record in sorted(summary.records, key=lambda r: r.process):
        records[record.case.id].append(record)
    return {
        case.id: Cell(case=case, estimates=estimates[case.id], records=tuple(records[case.id]))
        for case in summary.manifest.cases
    }


def _rows(cases: Iterable[Case], cells: Mapping[str, Cell]) -> tuple[Row, ...]:
    groups: dict[str, list[Cell]] = {}
    for case in cases:
        groups.setdefault(case.group, []).append(cells[case.id])
    return tuple(
        Row(
            name=name,
            point=point_text(members[0].case),
            device=members[0].case.device,
            cells=tuple(sorted(members, key=lambda cell: not cell.case.is_baseline)),
        )
        for name, members in groups.items()
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What became of one claim wherever it was judged alike; the verdict with the largest effect comes first.

    ``judged``: how many judgements of the claim there are in all, those that came out otherwise included.
    """

    benchmark: str
    claim: Claim
    decision: Decision
    verdicts: tuple[Verdict, ...]
    judged: int


def findings(summary: Summary) -> tuple[Finding, ...]:
    """Every claim that was judged, the benchmarks and claims with the worst outcome first; at most one per decision."""
    by_claim: defaultdict[tuple[str, Claim], list[Verdict]] = defaultdict(list)
    for verdict in sorted(summary.verdicts, key=_badness):
        if verdict.decision != "not applicable":
            by_claim[f"{verdict.case.suite}/{verdict.case.benchmark}", verdict.claim].append(verdict)
    worst: dict[str, int] = {}
    for (name, _), judged in by_claim.items():
        worst[name] = min(worst.get(name, len(DECISIONS)), DECISIONS.index(judged[0].decision))
    ordered = sorted(by_claim.items(), key=lambda item: (worst[item[0][0]], item[0][0], _badness(item[1][0])[0]))
    return tuple(
        Finding(benchmark=name, claim=claim, decision=decision, verdicts=alike, judged=len(judged))
        for (name, claim), judged in ordered
        for decision in DECISIONS
        if (alike := tuple(v for v in judged if v.decision == decision))
    )


def _badness(verdict: Verdict) -> tuple[int, float]:
    return DECISIONS.index(verdict.decision), -abs((verdict.ratio or 1.0) - 1.0)


def point_text(case: Case) -> str:
    """A point for people: ``c=16 n=4``."""
    return " ".join(f"{name}={format_value(value)}" for name, value in case.point)
