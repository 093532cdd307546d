"""Lays two reports side by side: what is on one side only, what has no number, what is exact, what needs a test."""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from statistics import stdev
from typing import Any

from bench.analysis.calm import common_coefficient, freed
from bench.analysis.change import Change, State
from bench.analysis.intervals import FEWEST
from bench.analysis.reported import BITS, REPEATS, Report, Row, is_exact, is_judged
from bench.errors import BenchError
from bench.metrics import coefficient_name, is_headline

Rows = Mapping[str, Row]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """Two reports and what holds for all their cases.

    ``adjust``: whether adjusted times mean the same in both; ``blocked``: why nothing may be compared; ``unjudged``:
    why no difference can be judged; ``any_version``: whether the source of a benchmark may differ;
    ``same_software``: whether nothing under test is known to differ.
    """

    base: Report
    new: Report
    adjust: bool = False
    blocked: str = ""
    unjudged: str = ""
    any_version: bool = False
    same_software: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Match:
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
            raw_ratio=_ratio(old.value, new.value),
            bits=self.bits,
            **more,
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Trial:
    """A match that process values will decide; both sides have enough of them, all positive and not constant.

    ``pace``: log of how much longer the metronomes took beside the new values than beside the base's; None where
    that is not known; the values may have changed by ``beyond`` times as much.  ``restless``: the machine was too
    rarely calm on at least one side.  ``luck``: the log change that may be one run's luck, as far as the spread of its
    processes tells; a calibration knows better.  ``new_variances``: what the rounds of each process leave open of it,
    where both sides were measured in turn.
    """

    match: Match
    base_values: tuple[float, ...]
    new_values: tuple[float, ...]
    new_variances: tuple[float, ...] = ()
    adjusted: bool = False
    pace: float | None = None
    beyond: float = 0.0
    restless: bool = False
    luck: float = 0.0


Found = Change | Trial


def match(sides: Sides) -> Iterator[Found]:
    """A change, or a trial to be held, for each case x metric; a case that is only on one side is one change."""
    base, new = sides.base, sides.new
    if new.unfinished:
        yield Change(case="", state="missing", reason=f"{new.name} is not finished: {new.unfinished}")
    for case in {**base.rows, **dict.fromkeys(new.planned), **new.rows}:
        before, after = base.rows.get(case), new.rows.get(case)
        if after is None:
            yield _lost(case, before, case in new.planned)
        elif before is None:
            yield from _appeared(case, after)
        else:
            yield from _both(case, before, after, sides)


def _lost(case: str, before: Rows | None, planned: bool) -> Change:
    reason = "was to be measured and has no result" if planned else "is not in the new report"
    had = before is None or any(row.status == "ok" for row in before.values())
    return Change(case=case, state="missing", reason=reason, excused="" if had else "had no result in the base")


def _appeared(case: str, after: Rows) -> Iterator[Change]:
    troubled = [row for row in after.values() if row.status != "ok"]
    for row in troubled:
        yield Change(case=case, metric=row.metric, state=_STATE_OF[row.status], reason=_because(row))
    if not troubled:
        yield Change(case=case, state="new", reason="is not in the base report")


_STATE_OF: Mapping[str, State] = {
    "failed": "failed",
    "oom": "failed",
    "timeout": "failed",
    "skipped": "skipped",
    "invalid": "invalid",
}


def _because(row: Row) -> str:
    return f"{row.status}: {row.reason}" if row.reason else row.status


def _both(case: str, before: Rows, after: Rows, sides: Sides) -> Iterator[Found]:
    versions = {row.version for row in before.values()} ^ {row.version for row in after.values()}
    if versions - {""} and not sides.any_version:
        changed = f"the source of the benchmark changed ({' and '.join(sorted(versions - {''}))})"
        yield Change(case=case, state="incomparable", reason=f"{changed}: --allow-diff version")
        return
    bits = _bits(before, after)
    for metric in {**before, **after}:
        if is_judged(metric):
            yield from _one(metric, before, after, bits, sides)


def _bits(before: Rows, after: Rows) -> str:
    """Whether the results of a case are the same bits on both sides; empty where that is not known."""
    both = [name for name in before if _is_bits(name) and name in after]
    if not both:
        return ""
    return "same bits" if all(before[name].value == after[name].value for name in both) else "other bits"


def _is_bits(metric: str) -> bool:
    return metric.split("/", maxsplit=1)[0] == BITS


def _one(metric: str, before: Rows, after: Rows, bits: str, sides: Sides) -> Iterator[Found]:
    """One metric of a case that both reports hold; nothing where another row of the case tells it already."""
    old, new = before.get(metric), after.get(metric)
    if old is not None and new is not None:
        yield _two(Match(old=old, new=new, bits=bits), before, after, sides)
        return
    explained = any(row.status not in ("ok", "invalid") for row in (*before.values(), *after.values()))
    if explained or metric.startswith(REPEATS):  # determinism is checked only where --determinism asked for it
        return
    if old is not None:
        reason = "not reported any more"
        yield Change(case=old.case, metric=metric, state="missing", reason=reason, unit=old.unit, base=old.value)
    if new is not None:
        reason = "not reported by the base"
        yield Change(case=new.case, metric=metric, state="new", reason=reason, unit=new.unit, new=new.value)


def _two(match: Match, before: Rows, after: Rows, sides: Sides) -> Found:
    old, new = match.old, match.new
    if old.unit != new.unit:
        raise BenchError(
            f"{sides.new.file}, line {new.line}, column unit: {new.metric!r} of {new.case!r} is in {new.unit!r}, "
            f"but in {old.unit!r} in {sides.base.file}, line {old.line}"
        )
    if (old.status, new.status) != ("ok", "ok"):
        return _troubled(match)
    if sides.blocked:
        return match.change("incomparable", sides.blocked)
    if sides.unjudged:
        return match.change("unresolved", sides.unjudged, ratio=_ratio(old.value, new.value))
    if is_exact(new.metric) or isinstance(new.value, str) or isinstance(old.value, str):
        state, reason = _exact(old, new, sides, repeats=_repeats(before) and _repeats(after))
        return match.change(state, reason, ratio=_ratio(old.value, new.value))
    for stand_in, unadjusted in STAND_INS if sides.adjust and is_headline(new.metric) else ():
        found = _rows(f"{new.metric}{stand_in}", before, after)
        if found and not _untestable(found[0].process_values, found[1].process_values):
            trial = _tested(match, *found, _rows(f"{new.metric}{unadjusted}", before, after))
            few = not unadjusted and any(f"{new.metric}/calm" in rows for rows in (before, after))
            if not isinstance(trial, Trial):
                return trial
            calm = _rows(f"{new.metric}/calm", before, after) if unadjusted else None
            follows = _rows(coefficient_name(new.metric), before, after)
            return _doubted(_freed(trial, calm, follows) if calm and follows else trial, few)
    return _tested(match, old, new)


def _troubled(match: Match) -> Change:
    """At least one side has no number: say which, and whether that is news."""
    old, new = match.old, match.new
    if new.status == "ok":
        reason = f"the base has no number ({_because(old)})"
        return match.change("invalid" if old.status == "invalid" else "new", reason)
    state = _STATE_OF[new.status]
    known = state == "failed" and old.status not in ("ok", "invalid")
    return match.change(state, _because(new), excused="it had no result in the base either" if known else "")


# What stands in for a headline time where both reports have it, and the same before the metronomes were divided out.
STAND_INS = (("/calm_adjusted", "/calm"), ("/adjusted", ""))


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
    return replace(trial, restless=few and raw > RESTLESS_SPREAD, luck=LUCK_OF_RUN * own)


def _freed(trial: Trial, calm: tuple[Row, Row], follows: tuple[Row, Row]) -> Trial:
    """Freed of the clock by one coefficient for both sides, so that the reference cancels."""
    by = common_coefficient([row.value for row in follows])
    base, new = (
        freed(c.process_values, v, by) for c, v in zip(calm, (trial.base_values, trial.new_values), strict=True)
    )
    sides = ((base, trial.match.old), (new, trial.match.new))
    beyond = max(beyond_coefficient(len(values), len(row.process_values)) for values, row in sides)
    return replace(trial, base_values=base, new_values=new, beyond=beyond)


def spread(values: Sequence[float]) -> float:
    """The standard deviation of logarithms; 0 where there is none."""
    return stdev(map(math.log, values)) if len(values) > 1 and min(values) > 0 else 0.0


def _rows(name: str, before: Rows, after: Rows) -> tuple[Row, Row] | None:
    return (before[name], after[name]) if name in before and name in after else None


def _tested(match: Match, old: Row, new: Row, unadjusted: tuple[Row, Row] | None = None) -> Found:
    """A trial of the rows' process values; the rows are those of the match, or what stands in for them.

    ``unadjusted``: the stand-ins before the metronomes were divided out.
    """
    raw, ratio = _ratio(match.old.value, match.new.value), _ratio(old.value, new.value)
    base_values, new_values = old.process_values, new.process_values
    reason = _untestable(base_values, new_values)
    if reason:
        counts = {"base_processes": len(base_values), "new_processes": len(new_values)}
        return match.change("unresolved", reason, ratio=raw, **counts)
    before = _ratio(*(row.value for row in unadjusted)) if unadjusted else None
    pace = math.log(before / ratio) if before and ratio else None
    adjusted = unadjusted is not None
    beyond = BEYOND_METRONOMES + (not adjusted)  # raw times hold all that the machine did
    return Trial(
        match=match, base_values=base_values, new_values=new_values, adjusted=adjusted, pace=pace, beyond=beyond
    )


def _ratio(base: float | str | None, new: float | str | None) -> float | None:
    if isinstance(base, str) or isinstance(new, str) or not base or not new or base < 0 or new < 0:
        return None
    return new / base


def _repeats(rows: Rows) -> bool:
    """Whether no check saw a case differ from itself; without that its bits say nothing."""
    return not any(name.startswith(REPEATS) and row.value == "differs" for name, row in rows.items())


CONSTANT = "all processes gave the same value, to the last digit: the clock may be too coarse"


def _untestable(base: tuple[float, ...], new: tuple[float, ...]) -> str:
    """Why process values can give no interval; empty when they can."""
    fewest, side = min((len(base), "the base"), (len(new), "the new report"))
    if fewest < FEWEST:
        more = FEWEST - fewest
        return f"{fewest or 'no'} process value{'s' * (fewest != 1)} in {side}, {FEWEST} are needed: +{more} processes"
    if min(*base, *new) <= 0:
        return "a process value is zero or negative: a ratio says nothing"
    if len(set(base)) == 1 or len(set(new)) == 1:
        return CONSTANT
    return ""


# Texts of checks, from the best to the worst.
_RANK = {"repeats": 0, "random": 0, "identical": 0, "close": 1, "mutates": 1, "differs": 2, "different": 2}


def _exact(old: Row, new: Row, sides: Sides, *, repeats: bool) -> tuple[State, str]:
    """State and reason of values without noise: any difference is one."""
    if old.value == new.value:
        return "same", ""
    if isinstance(old.value, (int, float)) and isinstance(new.value, (int, float)):
        if not new.better:
            return "unresolved", "other work is done: the times of the two do not answer the same question"
        return "worse" if (new.value > old.value) == (
            new.better == "lower"
        ) else "better", "exact: any difference counts"
    if not _is_bits(new.metric):
        return _ranked(str(old.value), str(new.value)), f"{old.value} -> {new.value}"
    if not repeats:
        return "unresolved", "other bits, but this case does not repeat its own bits"
    if sides.same_software:
        return "worse", "other bits, though nothing that is under test changed"
    return "unresolved", "other bits: which are closer to the truth, hashes cannot say; see output"


def _ranked(old: str, new: str) -> State:
    if old not in _RANK or new not in _RANK or _RANK[old] == _RANK[new]:
        return "unresolved"
    return "worse" if _RANK[new] > _RANK[old] else "better"
