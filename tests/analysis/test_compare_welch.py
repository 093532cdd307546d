from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from bench.analysis.intervals import half_width, mean_of
from bench.analysis.welch import effects, false_discovery_adjusted, moments, more_processes

A = np.exp(np.random.default_rng(1).normal(0, 0.03, 9))
B = np.exp(np.random.default_rng(2).normal(0.05, 0.06, 14))


def one(floor: float = 0.0, confidence: float = 0.95) -> tuple[float, float, float, float]:
    found = effects(moments([A]), moments([B]), np.array([floor]), confidence)
    return found.effect[0], found.low[0], found.high[0], found.p[0]


def test_without_a_floor_it_is_welchs_test() -> None:
    effect, low, high, p = one()
    known = stats.ttest_ind(np.log(B), np.log(A), equal_var=False)
    interval = known.confidence_interval(0.95)
    assert (effect, p) == pytest.approx((np.log(B).mean() - np.log(A).mean(), known.pvalue))
    assert (low, high) == pytest.approx((interval.low, interval.high))


def test_a_floor_only_ever_raises_p() -> None:
    ps = [one(floor)[3] for floor in (0.0, 0.01, 0.02, 0.05, 0.2)]
    assert ps == sorted(ps)
    assert ps[-1] <= 1.0


def test_series_of_different_lengths_are_kept_apart() -> None:
    together = moments([A, B, A[:5]])
    for place, series in enumerate((A, B, A[:5])):
        assert together.number[place] == len(series)
        assert together.mean[place] == pytest.approx(np.log(series).mean())
        assert together.variance[place] == pytest.approx(np.log(series).var(ddof=1))


def test_paired_processes_have_the_weighted_mean_and_the_interval_of_a_run() -> None:
    known = [1e-6] * 8 + [1e-3] * 4
    ratios = np.random.default_rng(2).normal(size=12) * np.sqrt(known)
    ones, new = moments([[1.0] * 12]), moments([np.exp(ratios).tolist()], [known])
    found, own = effects(ones, new, np.zeros(1), 0.95), mean_of(ratios, known)
    assert found.effect[0] == pytest.approx(own.mean)
    assert found.high[0] - own.mean == pytest.approx(half_width(ratios, 0.95, known))
    assert new.number[0] == pytest.approx(own.count)


def test_no_series_give_no_moments() -> None:
    assert len(moments([]).mean) == 0
    assert len(false_discovery_adjusted(np.array([]))) == 0


def test_the_false_discovery_rate_is_benjamini_and_hochbergs() -> None:
    p = np.random.default_rng(3).uniform(size=50) ** 3
    assert false_discovery_adjusted(p) == pytest.approx(stats.false_discovery_control(p))


@given(st.floats(0.001, 0.2), st.floats(0.001, 0.2))
@settings(max_examples=50, deadline=None)
def test_swapping_the_reports_turns_the_effect_round(spread: float, shift: float) -> None:
    x = np.exp(np.random.default_rng(5).normal(0, spread, 10))
    y = np.exp(np.random.default_rng(6).normal(shift, spread, 12))
    forth = effects(moments([x]), moments([y]), np.array([0.01]), 0.95)
    back = effects(moments([y]), moments([x]), np.array([0.01]), 0.95)
    assert forth.effect[0] == pytest.approx(-back.effect[0])
    assert forth.low[0] == pytest.approx(-back.high[0])
    assert forth.p[0] == pytest.approx(back.p[0])


def test_the_processes_asked_for_are_enough_and_not_many_too_many() -> None:
    """With as many more processes and the same mean and variance the interval ends at the floor."""
    known = {"effect": 0.005, "floor": 0.02, "variance": 2 * 0.04**2, "alpha": 0.01, "confidence": 0.95}
    more = more_processes(**known, number=10)
    assert more is not None

    def half(number: int) -> float:
        return float(stats.t.ppf(0.975, 2 * (number - 1)) * np.sqrt(known["variance"] / number))

    assert half(10 + more) <= 0.015 < half(10 + more - 2)


def test_no_number_of_processes_resolves_an_effect_on_the_floor() -> None:
    assert more_processes(effect=0.02, floor=0.02, variance=1e-3, number=10, alpha=0.01, confidence=0.95) is None
    assert more_processes(effect=0.0201, floor=0.02, variance=1e-2, number=10, alpha=0.01, confidence=0.95) is None


def test_a_series_whose_values_differ_by_rounding_alone_does_not_vary() -> None:
    value = 2e-3
    together = moments([[1.25] * 12, [value, np.nextafter(value, 1.0)] * 6, A])
    assert together.variance[:2].tolist() == [0.0, 0.0]
    assert together.variance[2] > 0.0


def test_where_neither_side_varies_there_is_no_test_and_the_others_are_adjusted_without_it() -> None:
    base, new = moments([A, [1.0] * 9, A]), moments([B, [2.0] * 9, A[::-1]])
    found = effects(base, new, np.full(3, 0.02), 0.95)
    assert np.isnan([found.low[1], found.high[1], found.p[1]]).all()
    adjusted = false_discovery_adjusted(found.p)
    assert np.isnan(adjusted[1])
    assert adjusted[[0, 2]] == pytest.approx(stats.false_discovery_control(found.p[[0, 2]]))


def test_without_any_test_nothing_is_adjusted() -> None:
    assert np.isnan(false_discovery_adjusted(np.array([np.nan, np.nan]))).all()
