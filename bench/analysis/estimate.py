"""From samples to one estimate per case and metric: process values, their mean, Student's t over processes.

docs/method.md, from samples to an interval.  The process is the unit: rounds of one process share its luck (memory
layout, core, clock), so an interval over pooled rounds would be many times too narrow.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from bench.analysis import metronome, shape
from bench.analysis.calm import calm_of
from bench.analysis.measured import MOVED, WORK, Measured, cases_of
from bench.analysis.rows import Series, counted_row, exact_row, invalid_row, series_row, status_row, told, worst
from bench.analysis.times import Times
from bench.metrics import metric, relative_name
from bench.model import Estimate, Record, StopReason

Phases = Mapping[str, tuple[str, ...]]


def estimate(
    records: Sequence[Record],
    *,
    confidence: float = 0.95,
    stops: Mapping[str, StopReason] | None = None,
    phases: Phases | None = None,
    reference: Sequence[Record] = (),
) -> tuple[Estimate, ...]:
    """One Estimate per case and metric, in the order of the records.

    ``stops``: group -> why it stopped.  ``phases``: name of benchmark -> phases, for the rows of cases that failed
    before any was timed; without it the phases that other records of the benchmark have.  ``reference``: of the same
    cases in the environment beside which they were timed.
    """
    cases, references = cases_of(records), cases_of(reference)
    baselines = {case.group: measured for case, measured in cases.items() if case.is_baseline}
    known = phases or _phases(cases.values())
    return tuple(
        row
        for case, measured in cases.items()
        for row in _rows(
            _Pair(
                mine=measured,
                baseline=None if case.is_baseline else baselines.get(case.group),
                reference=references.get(case),
                confidence=confidence,
                stop_reason=(stops or {}).get(case.group, ""),
            ),
            known.get(case.name_of_benchmark) or ("forward",),
        )
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Pair:
    """A case with its baseline (None: it is the baseline itself, or that was never measured).

    ``reference``: the same case in the environment beside which it was timed, if it was.
    """

    mine: Measured
    baseline: Measured | None
    reference: Measured | None
    confidence: float
    stop_reason: StopReason

    def blank(self, name: str) -> Estimate:
        last = self.mine.records[-1]
        return Estimate(
            case=self.mine.case, metric=name, status="ok", version=last.version, environment=last.environment
        )


def _phases(cases: Iterable[Measured]) -> dict[str, tuple[str, ...]]:
    found: dict[str, dict[str, None]] = defaultdict(dict)
    for measured in cases:
        found[measured.case.name_of_benchmark] |= dict.fromkeys(measured.phases)
    return {benchmark: tuple(phases) for benchmark, phases in found.items()}


def _rows(pair: _Pair, phases: tuple[str, ...]) -> Iterator[Estimate]:
    timed = pair.mine.phases or (phases if pair.mine.lost else ())
    times = {phase: _time_row(pair, phase) for phase in timed}
    for phase, row in times.items():
        adjustment = pair.mine.adjusted(phase)
        relative, why = _relative_row(pair, phase)
        yield told(row, why, "" if adjustment.logs else adjustment.sentence)
        yield from _sibling_rows(pair, phase)
        yield from _adjusted_rows(pair, phase, adjustment)
        yield from _calm_rows(pair, phase)
        if relative:
            yield relative
    yield from _first_call_rows(pair)
    yield from _value_rows(pair)
    for phase, row in times.items():
        yield from _rate_rows(pair, phase, row)


def _time_row(pair: _Pair, phase: str, sibling: str = "") -> Estimate:
    mine, times = pair.mine, pair.mine.of(phase, sibling)
    blank = replace(pair.blank(f"time/{phase}/{sibling}".rstrip("/")), stop_reason=pair.stop_reason)
    if times is None:
        return status_row(blank, mine.lost) if mine.lost else invalid_row(blank, "no sample was taken")
    blank = replace(blank, samples=times.samples, valid_fraction=times.valid_samples / times.samples, flags=times.flags)
    if mine.too_few(times):
        return status_row(blank, mine.lost)
    own = Series(logs=times.by_process, step=times.step)
    if times.trouble:
        return invalid_row(blank, times.trouble, own)
    ratio, why = _paired(pair, times, phase, sibling)
    row = series_row(blank, own, ratio, pair.confidence)
    return told(row, *shape.facts(times.logs, np.array(list(own.logs.values()))), *_losses(mine), why)


def _losses(mine: Measured) -> tuple[str, ...]:
    if not mine.lost:
        return ()
    count, whole = len(mine.lost), len({r.process for r in mine.records})
    return (f"{count} of {whole} processes ended as {worst(mine.lost).status}: {worst(mine.lost).reason}",)


def _paired(pair: _Pair, times: Times, phase: str, sibling: str = "") -> tuple[Series | None, str]:
    """The ratio paired within rounds, or why there is none."""
    if pair.mine.case.is_baseline:
        return None, ""
    base = pair.baseline and pair.baseline.good(phase, sibling)
    if not base:
        return None, "no ratio: the baseline has no trustworthy time"
    return Series.of(times.ratios_to(base), times.step + base.step), ""


def _sibling_rows(pair: _Pair, phase: str) -> Iterator[Estimate]:
    samples = [s for r in pair.mine.timed.values() for s in r.samples if s.phase == phase]
    for sibling in dict.fromkeys(name for s in samples for name in s.siblings):
        yield _time_row(pair, phase, sibling)


def _adjusted_rows(pair: _Pair, phase: str, adjustment: metronome.Adjustment) -> Iterator[Estimate]:
    if not adjustment.logs:
        return
    theirs = pair.baseline.adjusted(phase).logs if pair.baseline else {}
    own = Series(logs=adjustment.logs)
    blank = replace(pair.blank(f"time/{phase}/adjusted"), stop_reason=pair.stop_reason)
    row = series_row(blank, own, own.minus(Series(logs=theirs)) if theirs else None, pair.confidence)
    yield told(row, adjustment.sentence)


def _calm_rows(pair: _Pair, phase: str) -> Iterator[Estimate]:
    """The times of calm rounds, as they are and divided by the clock, and how far they follow it: for ``compare``."""
    times = pair.mine.good(phase)
    calm = calm_of(times, pair.mine.timed, pair.mine.calm) if times else None
    if calm is None:
        return
    adjusted = "divided by what the hash and the interpreter's loop took meanwhile"
    for name, logs, fact in (("calm", calm.logs, calm.share), ("calm_adjusted", calm.adjusted, adjusted)):
        if logs:
            blank = replace(pair.blank(f"time/{phase}/{name}"), stop_reason=pair.stop_reason)
            yield told(series_row(blank, Series(logs=logs), None, pair.confidence), fact)
    if calm.adjusted:
        blank = replace(pair.blank(f"coefficient/{phase}"), value=calm.coefficient, samples=calm.rounds)
        yield told(blank, calm.gain)


def _relative_row(pair: _Pair, phase: str) -> tuple[Estimate | None, str]:
    """The time as a multiple of what the reference took, paired within rounds; or why there is none."""
    mine, theirs = pair.mine.good(phase), pair.reference and pair.reference.good(phase)
    ratios = Series.of(mine.ratios_to(theirs), mine.step + theirs.step) if mine and theirs else Series(logs={})
    if ratios.logs:
        blank = replace(pair.blank(relative_name(f"time/{phase}")), stop_reason=pair.stop_reason)
        row = told(series_row(blank, ratios, None, pair.confidence), ratios.weighed)
        return replace(row, process_variances=ratios.known_variances), ""
    if pair.reference is None:
        return None, ""
    lost = pair.reference.lost
    why = (
        f"it ended as {worst(lost).status}: {worst(lost).reason}"
        if lost
        else "no valid sample beside those of the case"
    )
    return None, f"not relative to the reference: {why}"


def _first_call_rows(pair: _Pair) -> Iterator[Estimate]:
    for phase in pair.mine.phases:
        own = pair.mine.first_calls(phase)
        blank = pair.blank(f"first_call/{phase}")
        if own.logs and own.trouble:
            yield invalid_row(blank, own.trouble, own)
        elif own.logs:
            theirs = pair.baseline.first_calls(phase) if pair.baseline else Series(logs={})
            yield series_row(blank, own, own.minus(theirs) if theirs.logs else None, pair.confidence)


def _value_rows(pair: _Pair) -> Iterator[Estimate]:
    for name, values in pair.mine.values.items():
        if name.split("/")[0] == MOVED:
            continue
        theirs = pair.baseline.values.get(name, {}) if pair.baseline else {}
        numbers = {p: v for p, v in values.items() if not isinstance(v, str)}
        if metric(name).exact or len(numbers) < len(values):
            yield exact_row(pair.blank(name), tuple(values.values()), tuple(theirs.values()))
        else:
            others = {p: v for p, v in theirs.items() if not isinstance(v, str)}
            yield counted_row(pair.blank(name), numbers, others, pair.confidence)


def _rate_rows(pair: _Pair, phase: str, time: Estimate) -> Iterator[Estimate]:
    """Work by time; the interval is the time's, upside down."""
    for kind in WORK:
        work = pair.mine.work(kind, phase)
        if not work or time.status != "ok" or not isinstance(time.value, float):
            continue
        theirs = pair.baseline.work(kind, phase) if pair.baseline else 0.0
        more = work / theirs if theirs else None
        yield replace(
            time,
            metric=f"{kind}/{phase}",
            value=work / time.value,
            low=_quotient(work, time.high),
            high=_quotient(work, time.low),
            process_values=tuple(work / t for t in time.process_values),
            ratio=_quotient(more, time.ratio),
            ratio_low=_quotient(more, time.ratio_high),
            ratio_high=_quotient(more, time.ratio_low),
            facts=(),
        )


def _quotient(work: float | None, time: float | None) -> float | None:
    return None if work is None or time is None else work / time
