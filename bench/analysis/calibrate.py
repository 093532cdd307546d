"""How often `compare` cries wolf on this machine, and how small a change it sees: from runs of the same code.

Every two runs are compared as `compare` would.  N runs make many pairs but tell only as much as N - 1 independent
comparisons, so the intervals of shares are those of N - 1 trials.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations, product
from statistics import median
from typing import Any

import numpy as np

from bench.analysis.calm import common_coefficient, freed
from bench.analysis.intervals import FEWEST, quantile, share_interval
from bench.analysis.judging import FDR, FLOOR, RESTLESS
from bench.analysis.matching import BEYOND_COEFFICIENT, BEYOND_METRONOMES, RESTLESS_SPREAD, STAND_INS, spread
from bench.analysis.phrases import percent
from bench.analysis.welch import effects, false_discovery_adjusted, moments
from bench.errors import BenchError
from bench.metrics import coefficient_name, is_headline
from bench.model import Estimate, Value

# History: 1  2026-11  first
SCHEMA = 1

POWER = 0.95
FEWEST_RUNS = 2
# Fewer runs make fewer than six ordered pairs, of which no 95 % can be told.
_FEWEST_FOR_POWER = 3
# The calibrated floor is what differences between runs of the same code exceed in one pair of a hundred.
_WITHIN_FLOOR = 0.99

Run = Sequence[Estimate]
Key = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rate:
    """Hits among pairs of runs, and the interval of their share."""

    hits: int
    pairs: int
    low: float
    high: float

    @property
    def share(self) -> float:
        return self.hits / self.pairs if self.pairs else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Injected:
    """How often a slowdown by ``share`` of the work was told as ``worse``."""

    share: float
    found: Rate


@dataclass(frozen=True, slots=True, kw_only=True)
class CaseCalibration:
    """One case and metric.  Spreads and changes are fractions.

    ``between_runs``: standard deviation of the runs' values.  ``floor``: what differences between runs of the same
    code exceed in 1 % of pairs beyond what the spread of processes explains.  ``smallest_change``: told with 95 %
    power, None with too few runs.  ``visible``: for each ordered pair of runs the smallest slowdown that would have
    been told, ascending: the power to see a change is the share of them up to it.
    """

    case: str
    metric: str
    adjusted: bool
    between_runs: float
    floor: float
    false_alarms: Rate
    smallest_change: float | None
    visible: tuple[float, ...]
    injected: tuple[Injected, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Calibration:
    """This machine's error rates.  ``false_alarms``: pairs of runs of the same code with any change told.

    ``measured``: when the first run began, UTC; empty where that is not known.
    """

    machine: Mapping[str, Value]
    runs: int
    asked_floor: float
    fdr: float
    false_alarms: Rate
    cases: tuple[CaseCalibration, ...]
    injected: tuple[Injected, ...] = ()
    schema: int = SCHEMA
    measured: str = ""


def calibrate(
    runs: Sequence[Run],
    injected: Mapping[float, Sequence[Run]] | None = None,
    *,
    machine: Mapping[str, Value] | None = None,
    measured: str = "",
) -> Calibration:
    """Rates from several runs of the same code, and from runs whose timed work was lengthened by a share of it.

    Raises BenchError with fewer than two runs, or when no case has enough processes in all of them.
    """
    slowed = injected or {}
    every = [*runs, *(run for more in slowed.values() for run in more)]
    stand_ins = _stand_ins(every)
    keys = _common([_values(run, stand_ins) for run in every])
    _check(runs, keys)
    gate = _Gate(keys)
    values = [_values(run, stand_ins) for run in runs]
    alarms = [gate.told(*pair) for pair in combinations(values, 2)]
    outcomes = [
        _inject(gate, values, share, [_values(run, stand_ins) for run in more]) for share, more in slowed.items()
    ]
    return Calibration(
        machine=dict(machine or {}),
        measured=measured,
        runs=len(runs),
        asked_floor=FLOOR,
        fdr=FDR,
        false_alarms=_rate([bool(told) for told in alarms], len(runs) - 1),
        cases=tuple(
            CaseCalibration(
                **gate.seen(key, [v[key] for v in values]),
                adjusted=key in stand_ins,
                false_alarms=_rate([key in told for told in alarms], len(runs) - 1),
                injected=tuple(outcome.injected([key]) for outcome in outcomes),
            )
            for key in keys
        ),
        injected=tuple(outcome.injected(keys) for outcome in outcomes),
    )


def _check(runs: Sequence[Run], keys: Sequence[Key]) -> None:
    if len(runs) < FEWEST_RUNS:
        raise BenchError(f"calibrating needs two runs of the same code or more, not {len(runs)}: raise --repeats")
    if not keys:
        broken = next((e for run in runs for e in run if e.status != "ok" and is_headline(e.metric)), None)
        why = f"{broken.case.id} is {broken.status} ({broken.reason})" if broken else "raise --processes"
        raise BenchError(f"calibrating found no case with {FEWEST} processes in every run: {why}")


def floor(calibration: Calibration, case: str, metric: str) -> float | None:
    """The calibrated floor of a case and metric, or None where it was not calibrated."""
    return next((c.floor for c in calibration.cases if (c.case, c.metric) == (case, metric)), None)


def power(calibrated: CaseCalibration, change: float) -> float:
    """The share of comparisons that would tell a slowdown by ``change``."""
    return sum(v <= change for v in calibrated.visible) / len(calibrated.visible)


def sentence(calibration: Calibration) -> str:
    """``this gate on this machine: false alarms 0.4 % [0.1, 1.1], sees +3.1 % (half of the cases), +6.0 % (all)``."""
    rate = calibration.false_alarms
    told = f"false alarms in {percent(rate.share)} of comparisons [{percent(rate.low)}, {percent(rate.high)}]"
    seen = [c.smallest_change for c in calibration.cases if c.smallest_change is not None]
    if seen:
        told += f", sees +{percent(median(seen))} in half of the cases, +{percent(max(seen))} in all (95 % power)"
    return f"this gate on this machine: {told}; {calibration.runs} runs of the same code"


def quoted(calibration: Calibration) -> str:
    """What a report of the same machine says of it."""
    rate = calibration.false_alarms
    day = f" on {calibration.measured[:10]}" if calibration.measured else ""
    told = (
        f"On this machine, as calibrated{day} with {calibration.runs} runs: false alarms of bench compare in "
        f"{percent(rate.share)} [{percent(rate.low)}, {percent(rate.high)}] of pairs"
    )
    seen = [c.smallest_change for c in calibration.cases if c.smallest_change is not None]
    return told + (f"; half of the cases show a change of {percent(median(seen))} with 95 % power." if seen else ".")


# --- what is compared ------------------------------------------------------------------------------------------------


def _headlines(run: Run) -> dict[Key, Estimate]:
    return {(e.case.id, e.metric): e for e in run if e.status == "ok" and is_headline(e.metric)}


@dataclass(frozen=True, slots=True, kw_only=True)
class _StandIn:
    """What stands in for a headline, as in `compare`, the same unadjusted, and the coefficient of all runs together.

    Without a coefficient (None) the metronomes are divided out.
    """

    name: str
    unadjusted: str
    coefficient: float | None


def _stand_ins(runs: Sequence[Run]) -> dict[Key, _StandIn]:
    """For each headline the first stand-in that every run has."""
    known = [{(e.case.id, e.metric): e for e in run if e.status == "ok"} for run in runs]
    headlines = _headlines(runs[0]) if runs else ()
    found = {key: next(_all_have(known, *key), None) for key in headlines}
    return {key: stand_in for key, stand_in in found.items() if stand_in}


def _all_have(known: Sequence[Mapping[Key, Estimate]], case: str, metric: str) -> Iterator[_StandIn]:
    """The stand-ins of a headline that every run has, with enough processes; the one to choose first."""
    follows = [rows.get((case, coefficient_name(metric))) for rows in known]
    coefficient = common_coefficient([row.value for row in follows if row]) if all(follows) else None
    for name, unadjusted in STAND_INS:
        rows = [rows.get((case, f"{metric}{name}")) for rows in known]
        if all(row and len(row.process_values) >= FEWEST for row in rows):
            by = coefficient if unadjusted else None
            yield _StandIn(name=f"{metric}{name}", unadjusted=f"{metric}{unadjusted}", coefficient=by)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Series:
    """The process values of a case and metric in one run; ``beat``: log of the metronomes beside them.

    ``beyond``: how much of what the metronomes move by is not taken out.  ``restless``: the run was calm too rarely to
    be compared by its calm rounds.
    """

    values: tuple[float, ...]
    beat: float | None = None
    beyond: float = 0.0
    restless: bool = False

    def moved(self, base: _Series) -> float:
        """What the machine may have made of itself since ``base``."""
        least = RESTLESS if self.restless or base.restless else 0.0
        if self.beat is None or base.beat is None:
            return least
        return max(least, self.beyond * abs(self.beat - base.beat))


Values = Mapping[Key, _Series]


def _values(run: Run, stand_ins: Mapping[Key, _StandIn]) -> Values:
    by_name = {(e.case.id, e.metric): e for e in run}
    found = {key: _series(by_name, e, stand_ins.get(key)) for key, e in _headlines(run).items()}
    return {key: s for key, s in found.items() if len(s.values) >= FEWEST and len(set(s.values)) > 1}


def _series(by_name: Mapping[Key, Estimate], raw: Estimate, by: _StandIn | None) -> _Series:
    """Of a headline, or of what stands in for it; the unadjusted times are the headline where calm ones do not do."""
    if by is None:
        return _Series(values=raw.process_values)
    unadjusted, adjusted = by_name[raw.case.id, by.unadjusted], by_name[raw.case.id, by.name]
    before, after = unadjusted.value, adjusted.value
    known = isinstance(before, float) and isinstance(after, float) and min(before, after) > 0
    values, beyond = adjusted.process_values, BEYOND_METRONOMES
    if by.coefficient is not None:
        values = freed(unadjusted.process_values, values, by.coefficient)
        beyond = BEYOND_COEFFICIENT
    return _Series(
        values=values,
        beat=math.log(before / after) if known else None,  # type: ignore[operator]
        beyond=beyond,
        restless=by.unadjusted == raw.metric
        and (raw.case.id, f"{raw.metric}/calm") in by_name
        and spread(raw.process_values) > RESTLESS_SPREAD,
    )


def _common(runs: Sequence[Values]) -> tuple[Key, ...]:
    return tuple(key for key in runs[0] if all(key in run for run in runs)) if runs else ()


def _rate(hits: Sequence[bool], trials: int) -> Rate:
    """The share of hits, with the interval of as many independent trials."""
    share = sum(hits) / len(hits)
    low, high = share_interval(share * trials, trials, 0.95)
    return Rate(hits=sum(hits), pairs=len(hits), low=low, high=high)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Outcome:
    """What was told of every pair of a run with one whose work was lengthened by ``share``."""

    share: float
    found: Sequence[Mapping[Key, float]]
    trials: int

    def injected(self, keys: Sequence[Key]) -> Injected:
        hits = [told.get(key, 0.0) > 0 for told in self.found for key in keys]
        return Injected(share=self.share, found=_rate(hits, self.trials))


def _inject(gate: _Gate, runs: Sequence[Values], share: float, slowed: Sequence[Values]) -> _Outcome:
    found = [gate.told(base, new) for base, new in product(runs, slowed)]
    return _Outcome(share=share, found=found, trials=min(len(runs), len(slowed)))


@dataclass(frozen=True, slots=True)
class _Gate:
    """`compare` as far as times go, with so many questions asked at once."""

    keys: Sequence[Key]

    def told(self, base: Values, new: Values) -> dict[Key, float]:
        """Case and metric -> effect, where a change is told."""
        limits = np.maximum(math.log1p(FLOOR), [new[k].moved(base[k]) for k in self.keys])
        before, after = moments([base[k].values for k in self.keys]), moments([new[k].values for k in self.keys])
        found = effects(before, after, limits, 1 - FDR)
        told = false_discovery_adjusted(found.p) <= FDR
        return {key: e for key, e, is_told in zip(self.keys, found.effect.tolist(), told, strict=True) if is_told}

    def seen(self, key: Key, runs: Sequence[_Series]) -> dict[str, Any]:
        """How far runs of the same code lie apart, and what can be seen through that."""
        known = moments([run.values for run in runs])
        between = float(known.mean.std(ddof=1))
        excess = max(0.0, between**2 - float((known.variance / known.number).mean()))
        own_floor = math.expm1(quantile(len(runs) - 1, _WITHIN_FLOOR) * math.sqrt(2 * excess))
        visible = self._visible(runs, max(FLOOR, own_floor))
        enough = len(runs) >= _FEWEST_FOR_POWER
        return {
            "case": key[0],
            "metric": key[1],
            "between_runs": between,
            "floor": own_floor,
            "visible": visible,
            "smallest_change": float(np.quantile(visible, POWER, method="higher")) if enough else None,
        }

    def _visible(self, runs: Sequence[_Series], smallest: float) -> tuple[float, ...]:
        """For each ordered pair of runs, the slowdown of the second that would just have been told.

        One change among many must reach the first step of Benjamini and Hochberg.
        """
        pairs = list(permutations(runs, 2))
        limits = np.maximum(math.log1p(smallest), [new.moved(base) for base, new in pairs])
        first_step = 1 - 2 * FDR / len(self.keys)
        before, after = moments([base.values for base, _ in pairs]), moments([new.values for _, new in pairs])
        seen = effects(before, after, limits, first_step)
        needed = limits + (seen.high - seen.effect) - seen.effect
        return tuple(sorted(np.expm1(np.maximum(needed, 0.0)).tolist()))
