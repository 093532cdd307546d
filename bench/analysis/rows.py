"""One row of a report from the process values of one metric."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

import numpy as np

from bench.analysis.intervals import FEWEST, ProcessValue, half_width, mean_of
from bench.analysis.phrases import change
from bench.analysis.times import ALONE
from bench.model import Estimate, Record, Status

# What stands for a case whose processes ended differently: the later, the more it explains.
_SEVERITY: tuple[Status, ...] = ("ok", "skipped", "invalid", "failed", "timeout", "oom")

# Logarithms of the same number, computed in two ways, differ by less; two measurements by more.
_ROUNDING = 1e-12


@dataclass(frozen=True, slots=True, kw_only=True)
class Series:
    """Process values of one metric, or of its ratio to the baseline's: process number -> logarithm.

    ``step``: what one tick of the clock is, as a share of the value; no interval is narrower.  ``variances``: what the
    rounds of each process leave open of its value, where that is known.
    """

    logs: Mapping[int, float]
    step: float = 0.0
    variances: Mapping[int, float] = field(default_factory=dict)

    @classmethod
    def of(cls, values: Mapping[int, ProcessValue], step: float) -> Series:
        """The series of values that know their variances."""
        variances = {p: v.variance for p, v in values.items()}
        return cls(logs={p: v.log for p, v in values.items()}, step=step, variances=variances)

    @property
    def values(self) -> tuple[float, ...]:
        return tuple(np.exp(list(self.logs.values())).tolist())

    @property
    def stands_still(self) -> bool:
        """Whether all processes are equal, but for rounding, so that nothing tells how far they may be off."""
        logs = self.logs.values()
        return not self.step and max(logs) - min(logs) < _ROUNDING

    @property
    def why_no_interval(self) -> str:
        """Empty when there is one."""
        count = len(self.logs)
        if count < FEWEST:
            return f"{count} process{'es' if count > 1 else ''}: an interval needs at least {FEWEST}"
        return f"no interval: all {count} processes are equal" if self.stands_still else ""

    @property
    def trouble(self) -> str:
        """Why times have nothing to conclude from; empty when they do."""
        if len(self.logs) == 1:
            return ALONE
        return f"all {len(self.logs)} processes are equal: the clock stands still" if self.stands_still else ""

    @property
    def weighed(self) -> str:
        """What the processes would give counted alike, where that lies more than a standard error away."""
        if not self.variances or self.why_no_interval:
            return ""
        logs = list(self.logs.values())
        found, alike = mean_of(logs, list(self.variances.values())), mean_of(logs).mean
        if abs(alike - found.mean) <= found.error:
            return ""
        told = f"the {len(logs)} count as {found.count:.1f}, alike they give {change(math.exp(alike))}"
        return f"rounds of some processes scatter: {told}"

    @property
    def known_variances(self) -> tuple[float, ...]:
        """One for each process, of those that have too few rounds to tell the largest; none where nothing is known."""
        variances = np.array(list(self.variances.values()))
        if np.isnan(variances).all():
            return ()
        return tuple(np.where(np.isnan(variances), np.nanmax(variances), variances).tolist())

    def minus(self, baseline: Series) -> Series:
        """The ratio, process by process."""
        common = self.logs.keys() & baseline.logs.keys()
        logs = {p: v - baseline.logs[p] for p, v in self.logs.items() if p in common}
        return Series(logs=logs, step=self.step + baseline.step)

    def interval(self, confidence: float) -> tuple[float, float | None, float | None]:
        """The geometric mean, and its interval where there is one."""
        logs, variances = list(self.logs.values()), list(self.variances.values())
        if self.why_no_interval:
            return math.exp(math.fsum(logs) / len(logs)), None, None
        mean = mean_of(logs, variances).mean
        half = max(half_width(logs, confidence, variances), math.log1p(self.step))
        return math.exp(mean), math.exp(mean - half), math.exp(mean + half)


def series_row(blank: Estimate, own: Series, ratio: Series | None, confidence: float) -> Estimate:
    """The row of a metric that varies from process to process; ``blank`` says what it is a row of."""
    value, low, high = own.interval(confidence)
    row = replace(
        blank,
        reason=own.why_no_interval,
        value=value,
        low=low,
        high=high,
        confidence=None if low is None else confidence,
        process_values=own.values,
    )
    return row if ratio is None else _with_ratio(row, ratio, confidence)


def _with_ratio(row: Estimate, ratio: Series, confidence: float) -> Estimate:
    if not ratio.logs:
        return told(row, "no ratio: this and the baseline share no process in which both are valid")
    middle, low, high = ratio.interval(confidence)
    row = told(replace(row, ratio=middle, ratio_low=low, ratio_high=high), ratio.weighed)
    if low is None and row.low is not None:
        return told(row, f"the ratio to the baseline has no interval: {ratio.why_no_interval}")
    return row


def told(row: Estimate, *sentences: str) -> Estimate:
    """The row with more facts."""
    return replace(row, facts=(*row.facts, *(s for s in sentences if s)))


def invalid_row(blank: Estimate, reason: str, own: Series | None = None) -> Estimate:
    """A row without a number, and why; what the processes gave is kept."""
    return replace(blank, status="invalid", reason=reason, process_values=own.values if own else ())


def status_row(blank: Estimate, records: Sequence[Record]) -> Estimate:
    """The row of what failed, was skipped or ran out of memory or time."""
    record = worst(records)
    return replace(blank, status=record.status, reason=record.reason)


def worst(records: Sequence[Record]) -> Record:
    """The record whose status explains most; the first of several."""
    return max(records, key=lambda record: _SEVERITY.index(record.status))


def exact_row(blank: Estimate, values: Sequence[float | str], baseline: Sequence[float | str]) -> Estimate:
    """The row of a metric that takes no statistics: every process must give the same, else it is said."""
    strange = next((v for v in values if isinstance(v, float) and not math.isfinite(v)), None)
    if strange is not None:
        return invalid_row(blank, f"a process gave {strange}")
    value = largest(values)
    row = replace(blank, value=value, process_values=tuple(float(v) for v in values if not isinstance(v, str)))
    if len(set(values)) > 1:
        row = told(row, f"exact, but differs between processes: {len(set(values))} values; the largest is shown")
    if isinstance(value, str) or not baseline:
        return row
    return _with_exact_ratio(row, value, largest(baseline))


def largest(values: Sequence[float | str]) -> float | str:
    """The largest number, or the last text by alphabet."""
    texts = [v for v in values if isinstance(v, str)]
    return max(texts) if texts else max(v for v in values if not isinstance(v, str))


def _with_exact_ratio(row: Estimate, value: float, baseline: float | str) -> Estimate:
    if isinstance(baseline, str) or not math.isfinite(baseline):
        return row
    if value != baseline and (baseline <= 0 or value < 0):
        return told(row, f"no ratio: the baseline's is {baseline:g}")
    ratio = 1.0 if value == baseline else value / baseline
    return replace(row, ratio=ratio, ratio_low=ratio, ratio_high=ratio)


def counted_row(
    blank: Estimate, values: Mapping[int, float], baseline: Mapping[int, float] | None, confidence: float
) -> Estimate:
    """The row of a reading that varies a little and has no clock (resident memory): one process may speak alone."""
    strange = next((v for v in values.values() if not math.isfinite(v)), None)
    if strange is not None:
        return invalid_row(blank, f"a process gave {strange}")
    given = tuple(values.values())
    if min(given) <= 0:
        reason = "the mean; no interval, because a process gave zero or less"
        return replace(blank, value=math.fsum(given) / len(given), reason=reason, process_values=given)
    own = Series(logs={p: math.log(v) for p, v in values.items()})
    theirs = {p: math.log(v) for p, v in (baseline or {}).items() if 0 < v < math.inf}
    row = series_row(blank, own, own.minus(Series(logs=theirs)) if theirs else None, confidence)
    return replace(row, value=given[0] if len(set(given)) == 1 else row.value, process_values=given)
