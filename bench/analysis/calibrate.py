"""How often `compare` cries wolf on this machine, and how small a change it sees: from runs of the same code.

Every two runs are compared as `compare` will once it knows the floors found here, but with floors from the other runs.
N runs make many pairs but tell only as much as N - 1 independent comparisons, so the intervals of shares are those of
N - 1 trials.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations, permutations, product
from typing import Any

import numpy as np

from bench.analysis.calm import common_coefficient, freed
from bench.analysis.intervals import FEWEST, quantile, share_interval
from bench.analysis.judging import FDR, FLOOR, RESTLESS
from bench.analysis.rates import Calibration, CaseCalibration, Injected, Rate
from bench.analysis.trials import BEYOND_METRONOMES, RESTLESS_SPREAD, STAND_INS, beyond_coefficient, spread
from bench.analysis.welch import effects, false_discovery_adjusted, moments
from bench.errors import BenchError
from bench.metrics import coefficient_name, is_headline
from bench.model import Estimate, Value

POWER = 0.95
FEWEST_RUNS = 2
# Fewer runs make fewer than six ordered pairs, of which no 95 % can be told.
_FEWEST_FOR_POWER = 3
# The calibrated floor is what differences between runs of the same code exceed in one pair of a hundred.
_WITHIN_FLOOR = 0.99

Run = Sequence[Estimate]
Key = tuple[str, str]


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
    keys = _common(_all(every, stand_ins))
    _check(runs, keys)
    values = _all(runs, stand_ins)
    every_run, without = _gate(values, keys), [(base, _gate(values, keys, [base])) for base in values]
    alarms = [_gate(values, keys, pair).told(*pair) for pair in combinations(values, 2)]
    outcomes = [
        _Outcome(share, [gate.told(base, run) for (base, gate), run in product(without, _all(more, stand_ins))])
        for share, more in slowed.items()
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
                **every_run.seen(key, [v[key] for v in values]),
                adjusted=key in stand_ins,
                false_alarms=_rate([key in told for told in alarms], len(runs) - 1),
                injected=tuple(outcome.injected([key], len(runs)) for outcome in outcomes),
            )
            for key in keys
        ),
        injected=tuple(outcome.injected(keys, len(runs)) for outcome in outcomes),
    )


def _check(runs: Sequence[Run], keys: Sequence[Key]) -> None:
    if len(runs) < FEWEST_RUNS:
        raise BenchError(f"calibrating needs two runs of the same code or more, not {len(runs)}: raise --repeats")
    if not keys:
        broken = next((e for run in runs for e in run if e.status != "ok" and is_headline(e.metric)), None)
        why = f"{broken.case.id} is {broken.status} ({broken.reason})" if broken else "raise --processes"
        raise BenchError(f"calibrating found no case with {FEWEST} processes in every run: {why}")


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
        return max(least, max(self.beyond, base.beyond) * abs(self.beat - base.beat))


Values = Mapping[Key, _Series]


def _all(runs: Sequence[Run], stand_ins: Mapping[Key, _StandIn]) -> list[Values]:
    return [_values(run, stand_ins) for run in runs]


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
        beyond = beyond_coefficient(len(values), len(raw.process_values))
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


@dataclass(frozen=True, slots=True)
class _Outcome:
    """What was told of every pair of a run with one whose work was lengthened by ``share``."""

    share: float
    found: Sequence[Mapping[Key, float]]

    def injected(self, keys: Sequence[Key], runs: int) -> Injected:
        hits = [told.get(key, 0.0) > 0 for told in self.found for key in keys]
        return Injected(share=self.share, found=_rate(hits, min(runs, len(self.found) // runs)))


def _apart(runs: Sequence[_Series]) -> tuple[float, float]:
    """Standard deviation between runs of the same code, and what their differences rarely exceed; 0 of a single run."""
    if len(runs) < FEWEST_RUNS:
        return 0.0, 0.0
    known = moments([run.values for run in runs])
    between = float(known.mean.std(ddof=1))
    excess = max(0.0, between**2 - float((known.variance / known.number).mean()))
    return between, math.expm1(quantile(len(runs) - 1, _WITHIN_FLOOR) * math.sqrt(2 * excess))


def _gate(runs: Sequence[Values], keys: Sequence[Key], without: Sequence[Values] = ()) -> _Gate:
    """The gate as calibrated by some runs, ``without`` those that are compared."""
    known = [run for run in runs if not any(run is one for one in without)]
    return _Gate({key: _apart([run[key] for run in known]) for key in keys})


@dataclass(frozen=True, slots=True)
class _Gate:
    """`compare` as far as times go, with so many questions asked at once.

    ``apart``: of each case and metric, the standard deviation between runs and the calibrated floor.
    """

    apart: Mapping[Key, tuple[float, float]]

    def told(self, base: Values, new: Values) -> dict[Key, float]:
        """Case and metric -> effect, where a change is told."""
        limits = [max(self._limit(key), new[key].moved(base[key])) for key in self.apart]
        before, after = (moments([side[key].values for key in self.apart]) for side in (base, new))
        found = effects(before, after, np.array(limits), 1 - FDR)
        told = false_discovery_adjusted(found.p) <= FDR
        return {key: e for key, e, is_told in zip(self.apart, found.effect.tolist(), told, strict=True) if is_told}

    def seen(self, key: Key, runs: Sequence[_Series]) -> dict[str, Any]:
        """How far runs of the same code lie apart, and what can be seen through that."""
        visible = self._visible(runs, self._limit(key))
        enough = len(runs) >= _FEWEST_FOR_POWER
        return {
            "case": key[0],
            "metric": key[1],
            "between_runs": self.apart[key][0],
            "floor": self.apart[key][1],
            "visible": visible,
            "smallest_change": float(np.quantile(visible, POWER, method="higher")) if enough else None,
        }

    def _limit(self, key: Key) -> float:
        """The smallest log change that is told."""
        return math.log1p(max(FLOOR, self.apart[key][1]))

    def _visible(self, runs: Sequence[_Series], smallest: float) -> tuple[float, ...]:
        """For each ordered pair of runs, the slowdown of the second that would just have been told.

        One change among many must reach the first step of Benjamini and Hochberg.
        """
        pairs = list(permutations(runs, 2))
        limits = np.maximum(smallest, [new.moved(base) for base, new in pairs])
        first_step = 1 - 2 * FDR / len(self.apart)
        before, after = moments([base.values for base, _ in pairs]), moments([new.values for _, new in pairs])
        seen = effects(before, after, limits, first_step)
        needed = limits + (seen.high - seen.effect) - seen.effect
        return tuple(sorted(np.expm1(np.maximum(needed, 0.0)).tolist()))
