"""What charts show, as values: rows of estimates, samples by process, the course of a run.  No drawing."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from bench.metrics import covers, metric
from bench.model import Estimate, Record, Samples
from bench.report.arrange import Cell, Row, Section
from bench.report.words import quantity


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One row of a chart: a point and phase, and the estimates of its variants by their number as declared."""

    label: str
    estimates: tuple[tuple[int, Estimate], ...]


def lines(section: Section, wanted: str) -> tuple[Line, ...]:
    """Rows of a chart of metrics such as ``time/{phase}``: point by point, phase by phase, numbers only."""
    found = []
    for row in section.rows:
        for phase in section.phases or ("",):
            estimates = tuple(_numbers(row, section, wanted.format(phase=phase)))
            if estimates:
                found.append(Line(label=f"{row.point} {phase}".strip(), estimates=estimates))
    return tuple(found)


def _numbers(row: Row, section: Section, name: str) -> Iterable[tuple[int, Estimate]]:
    for cell in row.cells:
        estimate = cell.estimates.get(name)
        if estimate is not None and estimate.status == "ok" and _is_number(estimate.value):
            yield section.number(cell.case.variant), estimate


def _is_number(value: float | str | None) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


def number(estimate: Estimate) -> float:
    """The value of an estimate that is known to be a number."""
    return float(estimate.value or 0)


def ratios(section: Section) -> tuple[Line, ...]:
    """Times that have a baseline to be compared with."""
    return tuple(
        Line(label=line.label, estimates=compared)
        for line in lines(section, "time/{phase}")
        if (compared := tuple((n, e) for n, e in line.estimates if e.ratio is not None and e.ratio > 0))
    )


def read_as_factors(rows: Iterable[Line]) -> bool:
    """Whether factors read better than percents: something is half or twice as fast."""
    return any(not 0.5 < (e.ratio or 1.0) < 2 for line in rows for _, e in line.estimates)


def margin(section: Section) -> float:
    """What the claims on time call no difference, the widest of them."""
    claims = section.declaration.claims
    return max((c.within for c in claims if any(covers(c.metric, f"time/{p}") for p in section.phases)), default=0.0)


def rates(section: Section, ceilings: Mapping[str, float]) -> tuple[tuple[Line, ...], tuple[str, ...]]:
    """Arithmetic and bandwidth achieved where their ceiling was measured, and what those ceilings are."""
    rows: tuple[Line, ...] = ()
    roofs: dict[str, str] = {}
    for kind, roof in (("flops", "fastest matmul"), ("bytes", "fastest copy")):
        found = lines(section, f"rate/{kind}/{{phase}}") if ceilings.get(kind) else ()
        unit = metric(f"rate/{kind}").unit
        rows += tuple(Line(label=f"{line.label}, {unit}", estimates=line.estimates) for line in found)
        names = dict.fromkeys(_ceiling(e, ceilings) for line in found for _, e in line.estimates)
        roofs |= {n: f"{roof}{n.removeprefix(kind).replace('(', ' (')}, {quantity(ceilings[n], unit)}" for n in names}
    return rows, tuple(roofs.values())


def share_of_ceiling(estimate: Estimate, ceilings: Mapping[str, float]) -> float:
    """A rate as percent of the ceiling of its kind, for 16-bit types that of theirs where it was measured."""
    return 100 * number(estimate) / ceilings[_ceiling(estimate, ceilings)]


def _ceiling(estimate: Estimate, ceilings: Mapping[str, float]) -> str:
    kind = estimate.metric.split("/")[1]
    is_half = dict(estimate.case.point).get("dtype") in ("bfloat16", "float16")
    return "flops(bf16)" if kind == "flops" and is_half and "flops(bf16)" in ceilings else kind


def places(rows: tuple[Line, ...]) -> Iterable[tuple[float, int, Estimate]]:
    """Where each estimate stands, in rows from the top: the variants of a row side by side about its middle."""
    most = max(len(line.estimates) for line in rows)
    for y, line in enumerate(rows):
        for i, (variant, estimate) in enumerate(line.estimates):
            yield y + (i - (len(line.estimates) - 1) / 2) * 0.8 / most, variant, estimate


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The samples of one case and phase, process by process; ``number``: of its variant."""

    number: int
    processes: tuple[tuple[Record, Samples], ...]

    def samples(self) -> Iterable[tuple[int, float, bool]]:
        """Process, seconds, and whether it is flagged."""
        for record, samples in self.processes:
            for seconds, flagged in _pairs(samples):
                yield record.process, seconds, flagged

    def middles(self) -> dict[int, float]:
        """The median of the valid samples of each process that has any."""
        valid = {record.process: [t for t, flagged in _pairs(s) if not flagged] for record, s in self.processes}
        return {process: statistics.median(seconds) for process, seconds in valid.items() if seconds}


def _pairs(samples: Samples) -> Iterable[tuple[float, bool]]:
    flags = samples.flags or ((),) * len(samples.seconds)
    return [(t, bool(f)) for t, f in zip(samples.seconds, flags, strict=True) if math.isfinite(t)]


def taken(section: Section) -> tuple[tuple[str, tuple[Taken, ...]], ...]:
    """Label and samples of every point and phase, variant by variant."""
    found = []
    for row in section.rows:
        for phase in section.phases:
            variants = tuple(t for cell in row.cells if (t := _taken(section, cell, phase)).processes)
            if variants:
                found.append((f"{row.point} {phase}".strip(), variants))
    return tuple(found)


def _taken(section: Section, cell: Cell, phase: str) -> Taken:
    found = ((record, s) for record in cell.records for s in record.samples if s.phase == phase and s.seconds)
    return Taken(number=section.number(cell.case.variant), processes=tuple(found))


def limits(variants: Iterable[Taken]) -> tuple[float, float]:
    """The range that shows the valid samples well; what lies beyond is drawn at its edge."""
    samples = [(t, flagged) for variant in variants for _, t, flagged in variant.samples()]
    valid = sorted(t for t, flagged in samples if not flagged) or sorted(t for t, _ in samples)
    low, high = valid[len(valid) // 50], valid[-1 - len(valid) // 50]
    spare = 0.3 * (high - low) or 0.01 * abs(high)
    return low - spare, high + spare


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """How something moved during the run: by process, percent away from its own middle."""

    processes: tuple[int, ...]
    percents: tuple[float, ...]


def courses(section: Section) -> tuple[tuple[int, Course], ...]:
    """Every case and phase with valid samples in two processes or more: its variant's number and its course."""
    found = [
        (variant.number, _course((process, (middle,)) for process, middle in variant.middles().items()))
        for _, variants in taken(section)
        for variant in variants
    ]
    return tuple((variant, course) for variant, course in found if len(course.processes) > 1)


def metronome_courses(section: Section) -> tuple[tuple[str, Course], ...]:
    """Name and course of every metronome; a process's variants share theirs, so the first of them speaks."""
    records = [record for row in section.rows for cell in row.cells[:1] for record in cell.records]
    names = sorted({name for record in records for name in record.metronomes})
    return tuple((name, _course((r.process, r.metronomes.get(name, ())) for r in records)) for name in names)


def _course(measured: Iterable[tuple[int, tuple[float, ...]]]) -> Course:
    values: dict[int, list[float]] = {}
    for process, seconds in measured:
        values.setdefault(process, []).extend(t for t in seconds if math.isfinite(t))
    medians = {process: statistics.median(found) for process, found in sorted(values.items()) if found}
    middle = statistics.median(medians.values()) if medians else 0.0
    return Course(
        processes=tuple(medians),
        percents=tuple((value / middle - 1) * 100 if middle else 0.0 for value in medians.values()),
    )


def span(section: Section) -> str:
    """When it was measured: ``03:05:00 to 03:09:30 UTC``; empty where the records do not say."""
    times = sorted(r.time for row in section.rows for cell in row.cells for r in cell.records if r.time)
    return f"{times[0][11:19]} to {times[-1][11:19]} UTC" if times and len(times[0]) >= 19 else ""
