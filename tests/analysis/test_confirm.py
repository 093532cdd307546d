"""What was suspected once counts only if new processes tell it again."""

from __future__ import annotations

from typing import Any

import pytest

from bench.analysis.change import Change, Comparison, Pair
from bench.analysis.confirm import confirmed, suspicious


def comparison(*changes: Change) -> Comparison:
    return Comparison(
        pairs=(Pair(base="a", new="b", changes=changes),), steps=(), floor=0.02, fdr=0.01, confidence=0.95
    )


def change(state: Any, case: str = "x", p: float | None = 0.001, **fields: Any) -> Change:
    return Change(case=case, metric="time/forward", state=state, p=p, **fields)


def only(settled: Comparison) -> Change:
    (found,) = settled.pairs[0].changes
    return found


def test_suspects_are_changes_that_took_statistics() -> None:
    told = comparison(change("worse"), change("better", "y"), change("same", "z"), change("worse", "bytes", p=None))
    assert suspicious(told) == ("x", "y")


def test_a_change_told_twice_counts_with_its_second_numbers() -> None:
    settled = only(confirmed(comparison(change("worse", ratio=1.1)), comparison(change("worse", ratio=1.07))))
    assert (settled.state, settled.ratio, settled.reason) == ("worse", 1.07, "told again by new processes")


@pytest.mark.parametrize("again", ["same", "better", "unresolved"])
def test_a_change_that_does_not_repeat_is_unresolved(again: str) -> None:
    settled = only(confirmed(comparison(change("worse")), comparison(change(again))))
    assert (settled.state, settled.reason) == ("unresolved", f"looked worse once, {again} in new processes")


@pytest.mark.parametrize("again", ["failed", "invalid", "missing", "incomparable", "skipped"])
def test_a_suspect_that_then_breaks_is_no_pass(again: str) -> None:
    second = comparison(change(again, p=None, reason="out of memory"))
    settled = only(confirmed(comparison(change("worse")), second))
    assert (settled.state, settled.metric) == (again, "time/forward")
    assert settled.reason == "looked worse once, then in new processes: out of memory"


def test_a_case_that_then_breaks_takes_all_its_suspects_with_it() -> None:
    first = comparison(change("worse"), Change(case="x", metric="first_call/forward", state="better", p=0.001))
    second = comparison(Change(case="x", state="missing", reason="has no result"), change("same", "y"))
    changes = confirmed(first, second).pairs[0].changes
    assert [(c.metric, c.state) for c in changes] == [("time/forward", "missing"), ("first_call/forward", "missing")]


def test_a_suspect_that_could_not_be_measured_again_is_unresolved() -> None:
    settled = only(confirmed(comparison(change("better")), comparison()))
    assert (settled.state, settled.reason) == ("unresolved", "looked better, but could not be measured again")


def test_exact_changes_and_everything_else_stay_as_they_were() -> None:
    first = comparison(change("worse", p=None), change("same"))
    assert confirmed(first, comparison(change("worse"))) == first
