"""Decides every trial of a comparison at once: how sure one must be depends on how many questions were asked."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from bench.analysis.change import Change, State
from bench.analysis.intervals import CONFIDENCE
from bench.analysis.phrases import percent
from bench.analysis.trials import CONSTANT, Trial
from bench.analysis.welch import effects, false_discovery_adjusted, moments, more_processes
from bench.metrics import Better

FLOOR = 0.02  # the smallest change anybody is told of
FDR = 0.01  # q of Benjamini and Hochberg over all cases and metrics

# Where the machine was hardly ever calm, adjusted times of the same code differed by up to 12 %.
RESTLESS = math.log(1.2)

Floors = Callable[[str, str], float | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """What a change must exceed to be told, and how sure one must be.

    ``floor``: the smallest change that counts, as a fraction; ``floors``: the calibrated one of a case and metric
    where there is one: the larger counts.  ``fdr``: expected share of false alarms among the alarms.
    """

    floor: float = FLOOR
    floors: Floors = lambda _case, _metric: None
    fdr: float = FDR
    confidence: float = CONFIDENCE

    def floor_of(self, trial: Trial) -> float:
        """Calibrated floors are those of runs apart, which have nothing measured in turn with them."""
        row = trial.match.new
        return self.floor if trial.relative else max(self.floor, self.floors(row.case, row.metric) or 0.0)


def judge(trials: Sequence[Trial], rule: Rule) -> tuple[Change, ...]:
    """The change each trial comes to: ``worse``, ``better``, ``same`` or ``unresolved``."""
    if not trials:
        return ()
    base = moments([t.base_values for t in trials], [t.base_variances for t in trials])
    new = moments([t.new_values for t in trials], [t.new_variances for t in trials])
    floors = [rule.floor_of(trial) for trial in trials]
    limits = np.log1p(floors)
    found = effects(base, new, np.maximum(limits, [_noise(trial, rule) for trial in trials]), rule.confidence)
    adjusted = false_discovery_adjusted(found.p)
    # The p that one more rejection would need: what an unresolved trial has to reach.
    alpha = rule.fdr * min(1.0, (np.count_nonzero(adjusted <= rule.fdr) + 1) / max(1, np.isfinite(adjusted).sum()))
    # Of single processes, which may count as fewer than they are.
    before, after = (
        [len(v) for v in side] for side in zip(*((t.base_values, t.new_values) for t in trials), strict=True)
    )
    variances = base.variance / base.number * before + new.variance / new.number * after
    columns = (found.effect, found.low, found.high, found.p, adjusted, limits, variances)
    outcomes = map(_Outcome, *(column.tolist() for column in columns), floors)
    return tuple(_decide(trial, outcome, alpha, rule) for trial, outcome in zip(trials, outcomes, strict=True))


def _noise(trial: Trial, rule: Rule) -> float:
    """The log change that the machine may have made."""
    moved = trial.beyond * abs(trial.pace or 0.0)
    return max(moved, RESTLESS if trial.restless else 0.0, _luck(trial, rule))


def _luck(trial: Trial, rule: Rule) -> float:
    """What runs of the same code may differ in, where no calibration has measured it."""
    row = trial.match.new
    return trial.luck if trial.luck and rule.floors(row.case, row.metric) is None else 0.0


def _doubt(trial: Trial, rule: Rule, limit: float) -> str:
    """What about the machine kept a change from being told; empty where it kept none beyond ``limit``."""
    moved = _noise(trial, rule)
    if moved <= limit:
        return ""
    least, pace = percent(math.expm1(moved)), trial.pace or 0.0
    if trial.restless and moved == RESTLESS:
        return f"the machine was hardly ever calm: no change below {least} is told"
    if moved == _luck(trial, rule):
        return f"processes differ so much that no change below {least} is told; bench calibrate tells how much runs do"
    way, by = "slower" if pace > 0 else "faster", percent(math.expm1(abs(pace)))
    return f"the machine was {by} {way} beside it: no change below {least} is told"


class _Outcome(NamedTuple):
    """One trial's numbers, in logarithms; ``limit`` is that of the ``floor``, ``variance`` the sum of both sides'."""

    effect: float
    low: float
    high: float
    p: float
    fdr: float
    limit: float
    variance: float
    floor: float


def _decide(trial: Trial, found: _Outcome, alpha: float, rule: Rule) -> Change:
    before, after = len(trial.base_values), len(trial.new_values)
    if math.isnan(found.p):
        ratio = math.exp(found.effect)
        return trial.match.change("unresolved", CONSTANT, ratio=ratio, base_processes=before, new_processes=after)
    state, reason = _state(trial.match.new.better, found, rule)
    if state == "unresolved":
        reason = reason or _doubt(trial, rule, found.limit) or _more(found, min(before, after), alpha, rule)
    return trial.match.change(
        state,
        reason,
        ratio=math.exp(found.effect),
        low=math.exp(found.low),
        high=math.exp(found.high),
        adjusted=trial.adjusted,
        relative=trial.relative,
        p=found.p,
        fdr=found.fdr,
        floor=found.floor,
        machine=None if trial.pace is None else math.exp(trial.pace),
        base_values=trial.base_values,
        new_values=trial.new_values,
        base_processes=before,
        new_processes=after,
    )


def _state(better: Better, found: _Outcome, rule: Rule) -> tuple[State, str]:
    if found.fdr <= rule.fdr:
        if not better:
            return "unresolved", "it changed, but neither direction of this metric is the better one"
        return "worse" if (found.effect > 0) == (better == "lower") else "better", ""
    return "same" if -found.limit <= found.low and found.high <= found.limit else "unresolved", ""


def _more(found: _Outcome, number: int, alpha: float, rule: Rule) -> str:
    """What would resolve it, with so many processes on the smaller side."""
    more = more_processes(
        effect=found.effect,
        floor=found.limit,
        variance=found.variance,
        number=number,
        alpha=alpha,
        confidence=rule.confidence,
    )
    if more is None:
        return f"too close to the floor of {percent(found.floor)} for any number of processes"
    return f"+{more} processes on each side would resolve it"
