import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.analysis.intervals import ProcessValue, half_width
from bench.analysis.stopping import MINIMUM, decide, is_look, next_groups, widest
from bench.model import StopReason

Values = list[ProcessValue]


def ratios(count: int, spread: float, seed: int = 0) -> Values:
    values = np.random.default_rng(seed).normal(size=count)
    scaled = spread * (values - values.mean()) / values.std(ddof=1) if count > 1 else np.zeros(1)
    return [ProcessValue(value) for value in scaled.tolist()]


def half(values: Values) -> float:
    return half_width([v.log for v in values], 0.95)


def stop(*series: Values, spent: float = 10.0, budget: float = 1000.0, cost: float = 0.2) -> StopReason:
    return decide(
        {"g": series},
        precision=0.01,
        seconds_left=budget - spent,
        cost_seconds={"g": cost},
    )["g"]


def chosen(series: dict[str, list[Values]], left: float, stops: dict[str, StopReason] | None = None) -> list[str]:
    found = next_groups(
        series,
        stops or {},
        precision=0.01,
        seconds_left=left,
        cost_seconds=dict.fromkeys(series, 1.0),
    )
    return list(found)


def test_the_looks_are_few_and_grow() -> None:
    assert [n for n in range(100) if is_look(n)] == [12, 15, 19, 24, 30, 38, 48, 60, 75, 94]


def test_a_quiet_group_stops_at_the_first_look_and_not_before() -> None:
    assert [stop(ratios(n, 0.001)) for n in range(1, MINIMUM)] == [""] * (MINIMUM - 1)
    assert stop(ratios(MINIMUM, 0.001)) == "precise"


def test_between_looks_nobody_looks() -> None:
    assert [n for n in range(12, 31) if stop(ratios(n, 0.001)) == "precise"] == [12, 15, 19, 24, 30]


def test_precise_means_that_every_reported_interval_is() -> None:
    quiet, wide = ratios(12, 0.001), ratios(12, 0.05)
    assert stop(quiet, quiet) == "precise"
    assert stop(quiet, wide) == ""


@given(st.floats(0.001, 0.03), st.sampled_from([12, 19, 48]), st.integers(0, 9))
def test_a_group_is_precise_exactly_when_its_interval_is_narrow_enough(spread: float, count: int, seed: int) -> None:
    series = ratios(count, spread, seed)
    assert (stop(series, budget=1e9) == "precise") == (half(series) <= math.log1p(0.01))


def test_a_spent_budget_stops_every_group_that_was_measured() -> None:
    assert stop(ratios(3, 0.05), spent=1000.0) == "budget"
    assert stop(ratios(3, 0.05), spent=999.9) == "budget"  # the next process would not fit
    assert stop(ratios(12, 0.001), spent=1000.0) == "precise"


def test_a_first_process_is_granted_whatever_the_budget() -> None:
    assert stop([], spent=1000.0, cost=0.0) == ""
    assert stop(spent=1000.0, cost=0.0) == ""


def test_a_group_without_ratios_goes_on_until_the_budget_is_spent() -> None:
    assert stop() == ""
    assert stop(spent=1000.0) == "budget"


def test_a_group_that_the_budget_cannot_make_precise_is_unstable() -> None:
    # 30 % spread needs thousands of processes; 1,000 seconds pay for 5,000 of 0.2 s, but for 200 of 5 s.
    assert stop(ratios(12, 0.3), budget=1000.0, cost=0.2) == ""
    assert stop(ratios(12, 0.3), budget=1000.0, cost=5.0) == "unstable"


def test_a_spread_that_may_have_come_out_too_large_is_given_the_benefit_of_the_doubt() -> None:
    # With 2.8 % the estimate says 35 processes in all; 12 values of it are compatible with 2.0 %, which needs 19.
    assert stop(ratios(12, 0.028), spent=0.0, budget=12.0, cost=1.0) == ""
    assert stop(ratios(12, 0.028), spent=0.0, budget=6.0, cost=1.0) == "unstable"


def test_a_ratio_that_most_processes_lack_is_unstable_not_endless() -> None:
    assert stop(ratios(12, 0.001), ratios(2, 0.0)) == "unstable"


@pytest.mark.parametrize("left", [100.0, 1e6])
def test_with_time_for_all_the_next_pass_measures_every_group_that_goes_on(left: float) -> None:
    series = {"young": [ratios(3, 0.01)], "wide": [ratios(15, 0.03)], "done": [ratios(12, 0.001)]}
    assert chosen(series, left, {"done": "precise"}) == ["young", "wide"]


def test_wide_groups_get_what_is_left_first() -> None:
    series = {"narrow": [ratios(15, 0.022)], "wide": [ratios(15, 0.04)], "middle": [ratios(15, 0.03)]}
    assert chosen(series, left=200.0) == ["narrow", "wide", "middle"]
    assert chosen(series, left=80.0) == ["wide", "middle"]
    assert chosen(series, left=5.0) == ["wide"]


def test_groups_not_yet_looked_at_come_before_wide_ones() -> None:
    series = {"wide": [ratios(15, 0.04)], "young": [ratios(11, 0.01)], "new": []}
    assert chosen(series, left=5.0) == ["young", "new"]


def test_when_all_have_stopped_nothing_is_measured() -> None:
    assert chosen({"a": [ratios(12, 0.001)]}, 100.0, {"a": "precise"}) == []


def test_what_the_others_leave_is_for_groups_that_it_cannot_make_precise() -> None:
    series = {"precise": [ratios(12, 0.001)], "unsteady": [ratios(12, 0.3)], "worse": [ratios(15, 0.5)]}
    stops: dict[str, StopReason] = {"precise": "precise", "unsteady": "unstable", "worse": "unstable"}
    assert chosen(series, 100.0, stops) == ["unsteady", "worse"]
    assert chosen(series, 0.5, stops) == []  # a process takes a second
    assert chosen({**series, "young": [ratios(3, 0.01)]}, 100.0, stops) == ["young"]


def test_the_precision_reached_is_that_of_the_widest_ratio() -> None:
    wide = ratios(12, 0.05)
    assert widest([ratios(12, 0.001), wide]) == pytest.approx(math.expm1(half(wide)))
    assert widest([ratios(12, 0.001), ratios(1, 0.1)]) is None
    assert widest([]) is None


def test_disturbed_processes_do_not_keep_a_group_from_being_precise() -> None:
    quiet, wild = ratios(12, 0.004), ratios(4, 0.2)
    known = [ProcessValue(v.log, 1e-5) for v in quiet] + [ProcessValue(v.log, 1e-2) for v in wild]
    assert stop([*quiet, *wild][:15]) == ""
    assert stop(known[:15]) == "precise"
