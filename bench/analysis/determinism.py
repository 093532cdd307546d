"""What the knob matrix of a run comes to: which cells repeat, how far they are from the default, and their price."""

from __future__ import annotations

import math
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from bench.analysis.estimate import estimate
from bench.model import Case, Check, Estimate, Record

DEFAULT = "default"


@dataclass(frozen=True, slots=True, kw_only=True)
class Turned:
    """One case in one cell.

    ``reason``: why it did not work there, or empty.  ``checks``: by what they compare, such as ``output/processes``.
    ``prices``: phase -> the cell's time against the default's, as the ratio of an Estimate.
    """

    case: Case
    knobs: str
    reason: str = ""
    checks: Mapping[str, Check]
    prices: Mapping[str, Estimate]

    @property
    def differs(self) -> bool:
        """Whether it did not repeat its own bits, in one process or between two."""
        return any(check.verdict == "differs" for check in self.checks.values())

    @property
    def distance(self) -> float | None:
        """Relative distance to the default cell, the furthest of output and gradient; 0 for the same numbers."""
        found = (check.relative for what, check in self.checks.items() if "/" not in what)
        return max((relative for relative in found if relative is not None), default=None)


def knob_matrix(turned: Iterable[Record], confidence: float = 0.95) -> tuple[Turned, ...]:
    """The matrix, case by case, from the records that have ``knobs``."""
    records: dict[tuple[str, str], list[Record]] = defaultdict(list)
    for record in turned:
        records[record.case.id, record.knobs].append(record)
    prices = _prices([record for of in records.values() for record in of if record.process], confidence)
    return tuple(_turned(of, prices.get(key, {})) for key, of in records.items() if key[1] != DEFAULT)


def _turned(records: Sequence[Record], prices: Mapping[str, Estimate]) -> Turned:
    broken = next((record for record in records if record.status != "ok"), None)
    return Turned(
        case=records[0].case,
        knobs=records[0].knobs,
        reason="" if broken is None else broken.reason or broken.status,
        checks={check.what: check for record in records for check in record.checks},
        prices=prices,
    )


def _prices(timed: Sequence[Record], confidence: float) -> dict[tuple[str, str], dict[str, Estimate]]:
    """(case id, knobs) -> phase -> estimate.  The cells of a case are the variants of a group, default the baseline."""
    cases = {record.case.id: record.case for record in timed}
    ids = {_as_cell(record).id: (record.case.id, record.knobs) for record in timed}
    found: dict[tuple[str, str], dict[str, Estimate]] = defaultdict(dict)
    for row in estimate([replace(record, case=_as_cell(record), knobs="") for record in timed], confidence=confidence):
        kind, _, phase = row.metric.partition("/")
        if kind == "time" and "/" not in phase:
            key = ids[row.case.id]
            found[key][phase] = replace(row, case=cases[key[0]])
    return found


def _as_cell(record: Record) -> Case:
    case = record.case
    return replace(case, variant=record.knobs, baseline=DEFAULT, point=(*case.point, ("", case.variant)))


@dataclass(frozen=True, slots=True, kw_only=True)
class Price:
    """One cell over all cases: the row of the table that people ask for.

    ``worked`` of ``cases``; ``differing``: did not repeat; ``other_bits``: repeat, but not the default's bits;
    ``furthest``: largest relative distance to the default.  ``ratios``: of the phases of all cases that have an
    interval; ``middle``: their geometric mean, ``dearest`` the largest of them.
    """

    knobs: str
    cases: int
    worked: int
    differing: int
    other_bits: int
    furthest: float | None
    ratios: tuple[Estimate, ...]

    @property
    def middle(self) -> float | None:
        logs = [math.log(e.ratio) for e in self.ratios if e.ratio]
        return math.exp(math.fsum(logs) / len(logs)) if logs else None

    @property
    def dearest(self) -> Estimate | None:
        return max(self.ratios, key=lambda e: e.ratio or 0.0, default=None)


def prices(matrix: Sequence[Turned]) -> tuple[Price, ...]:
    """The matrix by cell, in the order in which the cells were turned."""
    return tuple(
        _price(knobs, [turned for turned in matrix if turned.knobs == knobs])
        for knobs in dict.fromkeys(turned.knobs for turned in matrix)
    )


def _price(knobs: str, turned: Sequence[Turned]) -> Price:
    working = [t for t in turned if not t.reason]
    distances = [t.distance for t in working if t.distance is not None]
    return Price(
        knobs=knobs,
        cases=len(turned),
        worked=len(working),
        differing=sum(t.differs for t in working),
        other_bits=sum(_has_other_bits(t) for t in working),
        furthest=max(distances, default=None),
        ratios=tuple(e for t in working for e in t.prices.values() if e.ratio_low is not None),
    )


def _has_other_bits(turned: Turned) -> bool:
    """By ULP, because -0.0 is not at any relative distance from 0.0; integers have no ULP."""
    return any(check.ulp for check in turned.checks.values()) or bool(turned.distance)
