"""Decides every trial of a comparison at once: how sure one must be depends on how many questions were asked."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from bench.analysis.change import Change, State
from bench.analysis.intervals import CONFIDENCE
from bench.analysis.phrases import percent
from bench.analysis.trials import CONSTANT, Trial
from bench.analysis.welch import effects, false_discovery_adjusted, moments, more_processes
from bench.metrics import Better

FLOOR = 0.02  # METHOD section 5.2: the smallest change anybody is told of
FDR = 0.01  # METHOD section 5.3: q of Benjamini and Hochberg over all cases and metrics

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
    numbers = zip(*(a.tolist() for a in (found.effect, found.low, found.high, found.p, adjusted)), strict=True)
    return tuple(
        _decide(trial, _Outcome(*values), limit=limit, floor=floor, variance=variance, alpha=alpha, rule=rule)
        for trial, values, limit, floor, variance in zip(
            trials, numbers, limits.tolist(), floors, variances.tolist(), strict=True
        )
    )


def _noise(trial: Trial, rule: Rule) -> float:
    """The log change that the machine may have made."""
    moved = trial.beyond * abs(trial.pace or 0.0)
    return max(moved, RESTLESS if trial.restless else 0.0, _luck(trial, rule))


def _luck(trial: Trial, rule: Rule) -> float:
    """What runs of the same code may differ in, where no calibration has measured it."""
    row = trial.match.new
    return trial.luck if rule.floors(row.case, row.metric) is None else 0.0


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


@dataclass(frozen=True, slots=True)
class _Outcome:
    """One trial's numbers, in logarithms."""

    effect: float
    low: float
    high: float
    p: float
    fdr: float


def _decide(
    trial: Trial, found: _Outcome, *, limit: float, floor: float, variance: float, alpha: float, rule: Rule
) -> Change:
    counts = {"base_processes": len(trial.base_values), "new_processes": len(trial.new_values)}
    if math.isnan(found.p):
        return trial.match.change("unresolved", CONSTANT, ratio=math.exp(found.effect), **counts)
    state, reason = _state(trial.match.new.better, found, limit, rule)
    if state == "unresolved":
        reason = reason or _doubt(trial, rule, limit)
    if state == "unresolved" and not reason:
        more = more_processes(
            effect=found.effect,
            floor=limit,
            variance=variance,
            number=min(len(trial.base_values), len(trial.new_values)),
            alpha=alpha,
            confidence=rule.confidence,
        )
        close = f"too close to the floor of {percent(floor)} for any number of processes"
        reason = close if more is None else f"+{more} processes on each side would resolve it"
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
        floor=floor,
        machine=None if trial.pace is None else math.exp(trial.pace),
        base_values=trial.base_values,
        new_values=trial.new_values,
        **counts,
    )


def _state(better: Better, found: _Outcome, limit: float, rule: Rule) -> tuple[State, str]:
    if found.fdr <= rule.fdr:
        if not better:
            return "unresolved", "it changed, but neither direction of this metric is the better one"
        return "worse" if (found.effect > 0) == (better == "lower") else "better", ""
    return "same" if -limit <= found.low and found.high <= limit else "unresolved", ""
