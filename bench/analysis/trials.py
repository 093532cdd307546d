"""What of two matched rows is put to the test: their times, or what stands in for them and tells more."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from functools import cache
from statistics import stdev
from typing import Any, NamedTuple

from bench.analysis.calm import common_coefficient, freed
from bench.analysis.change import Change, State
from bench.analysis.intervals import FEWEST
from bench.analysis.reported import Row
from bench.metrics import coefficient_name, is_headline, relative_name

Rows = Mapping[str, Row]


class Match(NamedTuple):
    """The same metric of the same case on both sides; ``bits``: whether the results of the case are the same bits."""

    old: Row
    new: Row
    bits: str = ""

    def change(self, state: State, reason: str = "", **more: Any) -> Change:
        """What became of it; ``more`` are further fields of Change."""
        old, new = self.old, self.new
        return Change(
            case=new.case,
            metric=new.metric,
            state=state,
            reason=reason,
            unit=new.unit,
            better=new.better,
            base=old.value,
            new=new.value,
            raw_ratio=ratio_of(old.value, new.value),
            bits=self.bits,
            **more,
        )


class Trial(NamedTuple):
    """A match that process values will decide; both sides have enough of them, all positive and not constant.

    ``pace``: log of how much longer the metronomes took beside the new values than beside the base's; None where
    that is not known; the values may have changed by ``beyond`` times as much.  ``restless``: the machine was too
    rarely calm on at least one side.  ``luck``: the log change that may be one run's luck, as far as the spread of its
    processes tells; a calibration knows better.  ``base_variances``, ``new_variances``: what the rounds of each process
    leave open of it, where it is a ratio to what was measured in turn with it.  ``relative``: the values are multiples
    of what the reference took.
    """

    match: Match
    base_values: tuple[float, ...]
    new_values: tuple[float, ...]
    base_variances: tuple[float, ...] = ()
    new_variances: tuple[float, ...] = ()
    adjusted: bool = False
    relative: bool = False
    pace: float | None = None
    beyond: float = 0.0
    restless: bool = False
    luck: float = 0.0


Found = Change | Trial


def trial_of(match: Match, before: Rows, after: Rows, *, adjust: bool, beside: bool) -> Found:
    """The trial of a metric with noise, or why there is none.

    ``adjust``: whether adjusted times mean the same in both reports; ``beside``: whether both were timed beside the
    same reference.
    """
    metric = match.new.metric
    if not is_headline(metric):
        return _tested(match, match.old, match.new)
    relative = _rows(relative_name(metric), before, after) if beside else None
    if relative and not _untestable(*relative):
        return _relative(match, *relative, _rows(f"{metric}/adjusted", before, after) if adjust else None)
    for stand_in, unadjusted in _stand_ins(metric) if adjust else ():
        found = _rows(stand_in, before, after)
        if found and not _untestable(*found):
            return _stood_in(match, found, unadjusted, before, after)
    return _tested(match, match.old, match.new)


def _stood_in(match: Match, found: tuple[Row, Row], unadjusted: str, before: Rows, after: Rows) -> Found:
    """A trial of calm times freed of the clock, or of adjusted ones."""
    metric = match.new.metric
    trial = _tested(match, *found, _rows(unadjusted, before, after))
    if not isinstance(trial, Trial):
        return trial
    few = unadjusted == metric and any(f"{metric}/calm" in rows for rows in (before, after))
    calm = _rows(unadjusted, before, after) if unadjusted != metric else None
    follows = _rows(coefficient_name(metric), before, after)
    return _doubted(_freed(trial, calm, follows) if calm and follows else trial, few)


def _relative(match: Match, old: Row, new: Row, adjusted: tuple[Row, Row] | None) -> Trial:
    """A trial of multiples of what the reference took: what the machine did, it did to that as well."""
    raw, left = ratio_of(match.old.value, match.new.value), adjusted and ratio_of(*(row.value for row in adjusted))
    return Trial(
        match=match,
        base_values=old.process_values,
        new_values=new.process_values,
        base_variances=old.process_variances,
        new_variances=new.process_variances,
        relative=True,
        pace=math.log(raw / left) if raw and left else None,
    )


# What stands in for a headline time where both reports have it, and the same before the metronomes were divided out.
STAND_INS = (("/calm_adjusted", "/calm"), ("/adjusted", ""))


@cache
def _stand_ins(metric: str) -> tuple[tuple[str, str], ...]:
    return tuple((f"{metric}{stand_in}", f"{metric}{unadjusted}") for stand_in, unadjusted in STAND_INS)


# Processes that lie closer together met no neighbours that matter, whatever the metronomes met on their one core.
RESTLESS_SPREAD = 0.05


# What processes of one run differ in, runs may differ in: seen in A/A comparisons of 11, 9, 2 and 15 reports of the
# same code in four busy hours (benchmarks/false_alarms.py, torch 2.13, one thread on 2 shared cores).  Pairs with any
# alarm: 1 of 197 with 2.5 spreads, none with 3; a planted +5 % is found in 44 and 27 % of cases in the first two hours,
# with 3 spreads in 37 and 21 %.
LUCK_OF_RUN = 2.5

# How far a case may follow the machine beyond what was taken out, as a share of what the metronomes moved by.  Divided
# by all of them, a case that does not slow with them at all is off by once their change, one that slows two and a half
# times as much by one and a half times.  Seen on 24 reports of seven CPU workloads, half of them taken in a busy hour
# and half in a quiet one (torch 2.13, 2 cores): comparisons of the same code with any alarm, between the hours 22 % (12
# processes a report) and 44 % (24) without this, none with it; within an hour 3 % and 33 %, none with it.
BEYOND_METRONOMES = 1.5
# With a coefficient of its own, fitted in these very runs, a case is off by that coefficient's error.  Seen against
# what fitted the runs best: 0.1 for convolutions and products, up to 0.6 for short calls and copies, which spread more.
BEYOND_COEFFICIENT = 0.3
# A run that was calm in fewer of its processes tells no coefficient to rely on: an addition with 6 calm processes of 30
# moved by 0.95 of what the clocks did after half of that was taken out, and was called changed in 2 of 15 comparisons.
_CALM_SHARE = 0.25


def beyond_coefficient(calm: int, processes: int) -> float:
    """How far a case may follow the clocks beyond its coefficient, which so many calm processes of all have told."""
    return BEYOND_COEFFICIENT if calm >= _CALM_SHARE * processes else BEYOND_METRONOMES


def _doubted(trial: Trial, few: bool) -> Trial:
    """With what two runs may differ in of themselves.  ``few``: too few calm rounds to compare them alone."""
    match, own = trial.match, max(spread(trial.base_values), spread(trial.new_values))
    raw = max(spread(match.old.process_values), spread(match.new.process_values))
    return trial._replace(restless=few and raw > RESTLESS_SPREAD, luck=LUCK_OF_RUN * own)


def _freed(trial: Trial, calm: tuple[Row, Row], follows: tuple[Row, Row]) -> Trial:
    """Freed of the clock by one coefficient for both sides, so that the reference cancels."""
    by = common_coefficient([row.value for row in follows])
    base, new = (
        freed(c.process_values, v, by) for c, v in zip(calm, (trial.base_values, trial.new_values), strict=True)
    )
    sides = ((base, trial.match.old), (new, trial.match.new))
    beyond = max(beyond_coefficient(len(values), len(row.process_values)) for values, row in sides)
    return trial._replace(base_values=base, new_values=new, beyond=beyond)


def spread(values: Sequence[float]) -> float:
    """The standard deviation of logarithms; 0 where there is none."""
    return stdev(map(math.log, values)) if len(values) > 1 and min(values) > 0 else 0.0


def _rows(name: str, before: Rows, after: Rows) -> tuple[Row, Row] | None:
    return (before[name], after[name]) if name in before and name in after else None


def _tested(match: Match, old: Row, new: Row, unadjusted: tuple[Row, Row] | None = None) -> Found:
    """A trial of the rows' process values; the rows are those of the match, or what stands in for them.

    ``unadjusted``: the stand-ins before the metronomes were divided out.
    """
    base_values, new_values = old.process_values, new.process_values
    reason = _untestable(old, new)
    if reason:
        raw = ratio_of(match.old.value, match.new.value)
        counts = {"base_processes": len(base_values), "new_processes": len(new_values)}
        return match.change("unresolved", reason, ratio=raw, **counts)
    if not unadjusted:  # raw times hold all that the machine did
        return Trial(match, base_values, new_values, beyond=BEYOND_METRONOMES + 1)
    before, ratio = ratio_of(*(row.value for row in unadjusted)), ratio_of(old.value, new.value)
    pace = math.log(before / ratio) if before and ratio else None
    return Trial(match, base_values, new_values, adjusted=True, pace=pace, beyond=BEYOND_METRONOMES)


def ratio_of(base: float | str | None, new: float | str | None) -> float | None:
    """New over base, of positive numbers; None for anything else."""
    if isinstance(base, str) or isinstance(new, str) or not base or not new or base < 0 or new < 0:
        return None
    return new / base


CONSTANT = "all processes gave the same value, to the last digit: the clock may be too coarse"


def _untestable(old: Row, new: Row) -> str:
    """Why process values can give no interval; empty when they can."""
    before, after = old.process_values, new.process_values
    fewest = min(len(before), len(after))
    if fewest < FEWEST:
        more, side = FEWEST - fewest, "the base" if len(before) == fewest else "the new report"
        return f"{fewest or 'no'} process value{'s' * (fewest != 1)} in {side}, {FEWEST} are needed: +{more} processes"
    if min(before) <= 0 or min(after) <= 0:
        return "a process value is zero or negative: a ratio says nothing"
    if before.count(before[0]) == len(before) or after.count(after[0]) == len(after):
        return CONSTANT
    return ""
