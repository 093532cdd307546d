"""Lays two reports side by side: what is on one side only, what has no number, what is exact, what needs a test."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from bench.analysis.change import Change, State
from bench.analysis.comparability import Difference
from bench.analysis.reported import BITS, REPEATS, Report, Row, is_exact, is_judged
from bench.analysis.trials import Found, Match, Rows, ratio_of, trial_of
from bench.errors import BenchError


@dataclass(frozen=True, slots=True, kw_only=True)
class Sides:
    """Two reports and what holds for all their cases.

    ``differ``: the facts in which they do; ``adjust``: whether adjusted times mean the same in both; ``beside``:
    whether both were timed beside the same reference; ``blocked``: why nothing may be compared; ``unjudged``: why no
    difference can be judged; ``any_version``: whether the source of a benchmark may differ; ``same_software``: whether
    nothing under test is known to differ.
    """

    base: Report
    new: Report
    differ: tuple[Difference, ...] = ()
    adjust: bool = False
    beside: bool = False
    blocked: str = ""
    unjudged: str = ""
    any_version: bool = False
    same_software: bool = False


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
        if not is_judged(metric):
            continue
        old, new = before.get(metric), after.get(metric)
        if old is not None and new is not None:
            yield _two(Match(old, new, bits), before, after, sides)
        else:
            yield from _one(metric, before, after)


def _bits(before: Rows, after: Rows) -> str:
    """Whether the results of a case are the same bits on both sides; empty where that is not known."""
    both = [name for name in before if _is_bits(name) and name in after]
    if not both:
        return ""
    return "same bits" if all(before[name].value == after[name].value for name in both) else "other bits"


def _is_bits(metric: str) -> bool:
    return metric == BITS or metric.startswith(f"{BITS}/")


def _one(metric: str, before: Rows, after: Rows) -> Iterator[Change]:
    """A metric that one report holds of a case of both; nothing where another row of the case tells it already."""
    explained = any(row.status not in ("ok", "invalid") for row in (*before.values(), *after.values()))
    if explained or metric.startswith(REPEATS):  # determinism is checked only where --determinism asked for it
        return
    if metric in before:
        old, reason = before[metric], "not reported any more"
        yield Change(case=old.case, metric=metric, state="missing", reason=reason, unit=old.unit, base=old.value)
    else:
        new, reason = after[metric], "not reported by the base"
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
        return match.change("unresolved", sides.unjudged, ratio=ratio_of(old.value, new.value))
    if is_exact(new.metric) or isinstance(new.value, str) or isinstance(old.value, str):
        state, reason = _exact(old, new, sides, repeats=_repeats(before) and _repeats(after))
        return match.change(state, reason, ratio=ratio_of(old.value, new.value))
    return trial_of(match, before, after, adjust=sides.adjust, beside=sides.beside)


def _troubled(match: Match) -> Change:
    """At least one side has no number: say which, and whether that is news."""
    old, new = match.old, match.new
    if new.status == "ok":
        reason = f"the base has no number ({_because(old)})"
        return match.change("invalid" if old.status == "invalid" else "new", reason)
    state = _STATE_OF[new.status]
    known = state == "failed" and old.status not in ("ok", "invalid")
    return match.change(state, _because(new), excused="it had no result in the base either" if known else "")


def _repeats(rows: Rows) -> bool:
    """Whether no check saw a case differ from itself; without that its bits say nothing."""
    return not any(name.startswith(REPEATS) and row.value == "differs" for name, row in rows.items())


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
