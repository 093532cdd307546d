"""Lays two reports side by side: what is on one side only, what has no number, what is exact, what needs a test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from bench.analysis.change import Change, State
from bench.analysis.reported import BITS, REPEATS, Report, Row, is_exact, is_judged
from bench.errors import BenchError
from bench.metrics import TIME_SIBLINGS

FEWEST_PROCESSES = 5  # METHOD section 4

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
class Trial:
    """A change that the process values will decide; both sides have enough of them, all positive and not constant."""

    change: Change
    base_values: tuple[float, ...]
    new_values: tuple[float, ...]


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
        told = " and ".join(sorted(versions - {""}))
        yield Change(case=case, state="incomparable", reason=f"the source of the benchmark changed ({told})")
        return
    bits = _bits(before, after)
    for metric in {**before, **after}:
        found = _one(metric, before, after, sides) if is_judged(metric) else None
        if isinstance(found, Trial):
            yield replace(found, change=replace(found.change, bits=bits)) if bits else found
        elif found is not None:
            yield replace(found, bits=bits) if bits else found


def _bits(before: Rows, after: Rows) -> str:
    """Whether the results of a case are the same bits on both sides; empty where that is not known."""
    both = [name for name in before if _is_bits(name) and name in after]
    if not both:
        return ""
    return "same bits" if all(before[name].value == after[name].value for name in both) else "other bits"


def _is_bits(metric: str) -> bool:
    return metric.split("/", maxsplit=1)[0] == BITS


def _one(metric: str, before: Rows, after: Rows, sides: Sides) -> Found | None:
    """One metric of a case that both reports hold; None where another row of the case tells it already."""
    old, new = before.get(metric), after.get(metric)
    if old is None or new is None:
        explained = any(row.status not in ("ok", "invalid") for row in (*before.values(), *after.values()))
        if explained or metric.startswith(REPEATS):  # determinism is checked only where --determinism asked for it
            return None
        if old is not None:
            return Change(case=old.case, metric=metric, state="missing", base=old.value, reason="not reported any more")
        return Change(case=after[metric].case, metric=metric, state="new", reason="not reported by the base")
    if old.unit != new.unit:
        raise BenchError(
            f"{sides.new.file}, line {new.line}, column unit: {metric!r} of {new.case!r} is in {new.unit!r}, "
            f"but in {old.unit!r} in {sides.base.file}, line {old.line}"
        )
    if (old.status, new.status) != ("ok", "ok"):
        return _troubled(old, new)
    return _measured(old, new, before, after, sides)


def _troubled(old: Row, new: Row) -> Change:
    """At least one side has no number: say which, and whether that is news."""
    change = Change(case=new.case, metric=new.metric, state="new", unit=new.unit, better=new.better)
    if new.status != "ok":
        state = _STATE_OF[new.status]
        known = state == "failed" and old.status not in ("ok", "invalid")
        again = "it had no result in the base either" if known else ""
        return replace(change, state=state, reason=_because(new), base=old.value, excused=again)
    reason = f"the base has no number ({_because(old)})"
    return replace(change, state="invalid" if old.status == "invalid" else "new", new=new.value, reason=reason)


def _measured(old: Row, new: Row, before: Rows, after: Rows, sides: Sides) -> Found:
    """Both sides have a value."""
    change = Change(
        case=new.case,
        metric=new.metric,
        state="unresolved",
        unit=new.unit,
        better=new.better,
        base=old.value,
        new=new.value,
        raw_ratio=_ratio(old.value, new.value),
    )
    if sides.blocked:
        return replace(change, state="incomparable", reason=sides.blocked)
    if sides.unjudged:
        return replace(change, ratio=change.raw_ratio, reason=sides.unjudged)
    if is_exact(new.metric) or isinstance(new.value, str) or isinstance(old.value, str):
        return _exact(change, sides, repeats=_repeats(before) and _repeats(after))
    adjusted = _adjusted(new.metric, before, after) if sides.adjust else None
    if adjusted is not None:
        old, new = adjusted
    change = replace(
        change,
        adjusted=adjusted is not None,
        base_processes=len(old.process_values),
        new_processes=len(new.process_values),
    )
    reason = _untestable(old.process_values, new.process_values)
    if reason:
        return replace(change, ratio=change.raw_ratio, reason=reason)
    return Trial(change=change, base_values=old.process_values, new_values=new.process_values)


def _ratio(base: float | str | None, new: float | str | None) -> float | None:
    if isinstance(base, str) or isinstance(new, str) or not base or not new or base < 0 or new < 0:
        return None
    return new / base


def _repeats(rows: Rows) -> bool:
    """Whether no check saw a case differ from itself; without that its bits say nothing."""
    return not any(name.startswith(REPEATS) and row.value == "differs" for name, row in rows.items())


def _adjusted(metric: str, before: Rows, after: Rows) -> tuple[Row, Row] | None:
    """The rows that stand in for a headline time on both sides, if both reports could adjust it."""
    if not metric.startswith("time/") or metric.rpartition("/")[2] in TIME_SIBLINGS:
        return None
    old, new = before.get(f"{metric}/adjusted"), after.get(f"{metric}/adjusted")
    if old is None or new is None or _untestable(old.process_values, new.process_values):
        return None
    return old, new


def _untestable(base: tuple[float, ...], new: tuple[float, ...]) -> str:
    """Why process values can give no interval; empty when they can."""
    fewest, side = min((len(base), "the base"), (len(new), "the new report"))
    if fewest < FEWEST_PROCESSES:
        more = FEWEST_PROCESSES - fewest
        return f"{fewest or 'no'} process values in {side}, {FEWEST_PROCESSES} are needed: +{more} processes"
    if min(*base, *new) <= 0:
        return "a process value is zero or negative: a ratio says nothing"
    if len(set(base)) == 1 or len(set(new)) == 1:
        return "all processes gave the same value, to the last digit: the clock may be too coarse"
    return ""


# Texts of checks, from the best to the worst.
_RANK = {"repeats": 0, "random": 0, "identical": 0, "close": 1, "mutates": 1, "differs": 2, "different": 2}


def _exact(change: Change, sides: Sides, *, repeats: bool) -> Change:
    """Values without noise: any difference is one."""
    base, new = change.base, change.new
    if base == new:
        return replace(change, state="same", ratio=change.raw_ratio)
    if isinstance(base, str) or isinstance(new, str) or base is None or new is None:
        return _other_text(change, sides, repeats)
    if not change.better:
        return replace(change, reason="other work is done: the times of the two do not answer the same question")
    state: State = "worse" if (new > base) == (change.better == "lower") else "better"
    return replace(change, state=state, ratio=change.raw_ratio, reason="exact: every difference counts")


def _other_text(change: Change, sides: Sides, repeats: bool) -> Change:
    if _is_bits(change.metric):
        if not repeats:
            return replace(change, reason="other bits, but this case does not repeat its own bits")
        if sides.same_software:
            return replace(change, state="worse", reason="other bits, though nothing that is under test changed")
        return replace(change, reason="other bits: which are closer to the truth, hashes cannot say; see output")
    change = replace(change, reason=f"{change.base} -> {change.new}")
    old, new = _RANK.get(str(change.base)), _RANK.get(str(change.new))
    if old is None or new is None or old == new:
        return change
    return replace(change, state="worse" if new > old else "better")
