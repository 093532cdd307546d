import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bench.analysis.intervals import (
    FEWEST,
    WIDENING,
    half_width,
    mean_of,
    nan_medians,
    processes_needed,
    quantile,
    share_interval,
    variances_of_medians,
)

# What process values can be: log seconds, log ratios.
logs = st.floats(-50, 50, allow_nan=False).map(lambda x: round(x, 6))
series = st.lists(logs, min_size=FEWEST, max_size=40)


def test_the_quantile_is_students() -> None:
    assert quantile(11, 0.95) == pytest.approx(stats.t.ppf(0.975, 11))


def test_the_half_width_is_students_made_wider() -> None:
    values = [0.01, 0.03, 0.02, 0.05, 0.04, 0.0]
    students = stats.t.ppf(0.975, 5) * np.std(values, ddof=1) / math.sqrt(6)
    assert half_width(values, 0.95) == pytest.approx(WIDENING * students)


def test_too_few_processes_have_no_finite_interval() -> None:
    assert half_width([0.1] * (FEWEST - 1), 0.95) == math.inf


@given(series, logs, st.floats(0.1, 10))
def test_an_interval_moves_with_its_values_and_scales_with_them(values: list[float], by: float, factor: float) -> None:
    own = half_width(values, 0.95)
    assert half_width([v + by for v in values], 0.95) == pytest.approx(own, abs=1e-9)
    assert half_width([v * factor for v in values], 0.95) == pytest.approx(own * factor, rel=1e-6, abs=1e-9)


@given(series)
def test_more_confidence_is_never_narrower(values: list[float]) -> None:
    assert half_width(values, 0.9) <= half_width(values, 0.95) <= half_width(values, 0.99)


@given(series)
def test_the_order_of_processes_does_not_matter(values: list[float]) -> None:
    assert half_width(values, 0.95) == pytest.approx(half_width(sorted(values), 0.95), rel=1e-9, abs=1e-12)


def test_a_process_with_more_than_twice_the_usual_variance_counts_in_inverse_proportion() -> None:
    found = mean_of([0.0, 1.0, 0.0, 1.0, 6.0], [1.0, 0.01, 1.0, 1.9, 8.0])
    shares = np.array([1, 1, 1, 1, 0.25]) / 4.25
    assert found.mean == pytest.approx(shares @ [0.0, 1.0, 0.0, 1.0, 6.0])
    beyond = np.array([0.0, 1.0, 0.0, 1.0, 6.0]) - found.mean
    assert found.error == pytest.approx(math.sqrt(np.sum(shares**2 * beyond**2 / (1 - shares))))
    assert found.count == pytest.approx(1 / np.sum(shares**2))


def test_a_process_with_too_few_rounds_to_tell_counts_as_the_most_disturbed() -> None:
    nan = math.nan
    values = [0.0, 1.0, 0.0, 1.0, 6.0]
    assert mean_of(values, [1.0, 1.0, 1.0, 1.0, nan]) == mean_of(values)  # nobody is known to be worse
    assert mean_of(values, [1.0, 1.0, 1.0, 8.0, nan]) == mean_of(values, [1.0, 1.0, 1.0, 8.0, 8.0])
    assert mean_of(values, [nan] * 5) == mean_of(values, [0.0] * 5) == mean_of(values)


@given(series, st.floats(0, 10))
def test_processes_alike_have_the_ordinary_mean_and_error(values: list[float], variance: float) -> None:
    found = mean_of(values, [variance] * len(values))
    assert found.mean == pytest.approx(np.mean(values), abs=1e-9)
    assert found.error == pytest.approx(stats.sem(values), abs=1e-9)
    assert found.freedom == pytest.approx(len(values) - 1)


def test_the_variance_of_a_median_is_what_it_is_for_normal_noise() -> None:
    rows = np.random.default_rng(0).normal(size=(20_000, 21))
    assert np.median(variances_of_medians(rows)) == pytest.approx(np.median(rows, axis=1).var(), rel=0.1)
    disturbed = np.hstack([rows, np.full((20_000, 4), 50.0)])  # some rounds far off, as a median does not mind
    assert np.median(variances_of_medians(disturbed)) < 2 * np.median(variances_of_medians(rows))
    few = variances_of_medians([[1.0, 2.0, math.nan], [1.0, 2.0, 2.5], [math.nan] * 3])
    assert np.isnan(few).tolist() == [True, False, True]


@given(st.floats(1e-4, 0.5), st.floats(1e-3, 0.1))
def test_as_many_processes_as_needed_are_enough_and_fewer_are_not(spread: float, wanted: float) -> None:
    count = processes_needed(spread=spread, half_width=wanted, confidence=0.95)

    def reached(n: int) -> float:
        return WIDENING * quantile(n - 1, 0.95) * spread / math.sqrt(n)

    assert reached(count) <= wanted * (1 + 1e-9)
    assert count == FEWEST or reached(count - 1) > wanted * (1 - 1e-9)


def test_no_spread_needs_the_fewest_processes_and_no_width_needs_all_of_them() -> None:
    assert processes_needed(spread=0.0, half_width=0.01, confidence=0.95) == FEWEST
    assert processes_needed(spread=0.01, half_width=0.0, confidence=0.95) > 10**8
    assert processes_needed(spread=math.inf, half_width=0.01, confidence=0.95) > 10**8


@given(st.integers(1, 300), st.data())
def test_the_interval_of_a_share_holds_it_and_is_exact(trials: int, data: st.DataObject) -> None:
    hits = data.draw(st.integers(0, trials))
    low, high = share_interval(hits, trials, 0.95)
    exact = stats.binomtest(hits, trials).proportion_ci(0.95, method="exact")
    assert (low, high) == pytest.approx((exact.low, exact.high))
    assert 0 <= low <= hits / trials <= high <= 1


@given(
    st.lists(
        st.lists(st.one_of(logs, st.just(math.nan)), min_size=4, max_size=4).filter(
            lambda row: not all(map(math.isnan, row))
        ),
        min_size=1,
        max_size=5,
    )
)
def test_medians_leave_nan_aside(rows: list[list[float]]) -> None:
    assert nan_medians(rows) == pytest.approx(np.nanmedian(np.array(rows), axis=1))


def test_the_median_of_nothing_is_nan() -> None:
    assert np.isnan(nan_medians([[math.nan, math.nan]])).all()
