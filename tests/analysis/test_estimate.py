import math
import re
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from builders import case, record, samples
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from bench.analysis.estimate import estimate
from bench.analysis.intervals import FEWEST, WIDENING, half_width, mean_of, variances_of_medians
from bench.analysis.measured import process_log_ratios
from bench.model import Estimate, Flag, Record

BASE, BIAS = "no_bias", "bias"


def noise(seed: int, processes: int, rounds: int = 8) -> list[list[float]]:
    rng = np.random.default_rng(seed)
    logs = math.log(1e-3) + 0.02 * rng.normal(size=(processes, 1)) + 0.01 * rng.normal(size=(processes, rounds))
    seconds: list[list[float]] = np.exp(logs).tolist()
    return seconds


def timed(of: str, seconds: list[list[float]], **fields: Any) -> Iterator[Record]:
    return (record(of, row, process=p, **fields) for p, row in enumerate(seconds, start=1))


def both(processes: int, slower: float = 1.05) -> list[Record]:
    base = noise(1, processes)
    own = [[slower * s for s in row] for row in noise(2, processes)]
    return [*timed(BASE, base), *timed(BIAS, own)]


def rows(records: list[Record], **options: Any) -> dict[tuple[str, str], Estimate]:
    return {(e.case.variant, e.metric): e for e in estimate(records, **options)}


def one(records: list[Record], variant: str = BIAS, metric: str = "time/forward") -> Estimate:
    return rows(records)[variant, metric]


# --- time ---------------------------------------------------------------------------------------------------------


def test_the_value_is_the_geometric_mean_of_process_medians_with_students_interval() -> None:
    seconds = noise(0, 9)
    found = one(list(timed(BASE, seconds)), BASE)
    medians = np.median(np.log(seconds), axis=1)
    half = WIDENING * stats.t.ppf(0.975, 8) * medians.std(ddof=1) / 3
    assert found.value == pytest.approx(math.exp(medians.mean()))
    assert (found.low, found.high) == pytest.approx((math.exp(medians.mean() - half), math.exp(medians.mean() + half)))
    assert found.process_values == pytest.approx(np.exp(medians))
    assert (found.status, found.confidence, found.samples, found.valid_fraction) == ("ok", 0.95, 72, 1.0)
    assert found.ratio is None


def test_the_ratio_is_paired_within_rounds() -> None:
    # A machine that wanders by 30 % from round to round slows both variants alike: the ratio must not feel it.
    wander = np.exp(0.3 * np.random.default_rng(3).normal(size=(6, 8)))
    base = wander * noise(1, 6)
    own = 1.1 * base * np.exp(0.001 * np.random.default_rng(4).normal(size=(6, 8)))
    found = one([*timed(BASE, base.tolist()), *timed(BIAS, own.tolist())])
    rounds = np.log(own / base)
    differences, variances = np.median(rounds, axis=1), variances_of_medians(rounds)
    mean, half = mean_of(differences, variances).mean, half_width(differences, 0.95, variances)
    assert found.ratio == pytest.approx(math.exp(mean))
    assert (found.ratio_low, found.ratio_high) == pytest.approx((math.exp(mean - half), math.exp(mean + half)))
    assert found.ratio_high is not None
    assert found.ratio_high / found.ratio < 1.002
    assert found.high is not None
    assert found.high / float(found.value or 1) > 1.05


@given(st.floats(0.01, 100), st.integers(0, 5))
def test_times_in_another_unit_give_the_same_ratio(factor: float, seed: int) -> None:
    base, own = noise(seed, 5), noise(seed + 10, 5)
    plain = one([*timed(BASE, base), *timed(BIAS, own)])
    scaled = [[[factor * s for s in row] for row in part] for part in (base, own)]
    found = one([*timed(BASE, scaled[0]), *timed(BIAS, scaled[1])])
    assert (found.ratio, found.ratio_low) == pytest.approx((plain.ratio, plain.ratio_low))
    assert found.value == pytest.approx(factor * float(plain.value or 0))


@given(st.integers(0, 20))
def test_an_interval_holds_its_value_and_its_ratio(seed: int) -> None:
    found = one([*timed(BASE, noise(seed, 6)), *timed(BIAS, noise(seed + 50, 6))])
    assert found.low is not None
    assert found.high is not None
    assert found.ratio_low is not None
    assert found.ratio_high is not None
    assert found.low <= float(found.value or 0) <= found.high
    assert found.ratio_low <= float(found.ratio or 0) <= found.ratio_high


def test_rounds_flagged_on_one_side_do_not_enter_the_ratio() -> None:
    base, own = noise(1, 5), noise(2, 5)
    own = [[*row[:-1], 40.0] for row in own]
    clean: tuple[tuple[Flag, ...], ...] = ((),) * 7
    spoilt = [
        record(BIAS, process=p, samples=(samples(row, flags=(*clean, ("preempted",))),))
        for p, row in enumerate(own, start=1)
    ]
    found = one([*timed(BASE, base), *spoilt])
    without = one([*timed(BASE, base), *timed(BIAS, [row[:-1] for row in own])])
    assert (found.value, found.ratio, found.ratio_low) == (without.value, without.ratio, without.ratio_low)
    assert found.flags == {"preempted": 0.125}
    assert found.valid_fraction == 0.875


def test_a_coarse_clock_keeps_the_interval_as_wide_as_its_tick() -> None:
    ticks = [[20e-6, 21e-6, 20e-6, 20e-6, 21e-6]] * 6  # every process has the median 20 us
    found = one(list(timed(BASE, ticks)), BASE)
    assert found.value == pytest.approx(20e-6)
    assert found.high == pytest.approx(21e-6)


def test_rows_come_in_the_order_of_the_records() -> None:
    found = estimate([*timed(BIAS, noise(1, 5)), *timed(BASE, noise(2, 5))])
    assert [e.case.variant for e in found] == [BIAS, BASE]


def test_phases_and_siblings_have_rows_of_their_own() -> None:
    phased = [
        record(
            variant,
            process=p,
            samples=(
                samples(seconds, siblings={"wall": [2 * s for s in seconds]}, first_call=0.1 * p),
                samples(seconds, "backward"),
            ),
        )
        for variant, seed in ((BASE, 1), (BIAS, 2))
        for p, seconds in enumerate(noise(seed, 5), start=1)
    ]
    found = rows(phased)
    assert [metric for variant, metric in found if variant == BIAS] == [
        "time/forward",
        "time/forward/wall",
        "time/backward",
        "first_call/forward",
    ]
    plain, wall = found[BIAS, "time/forward"], found[BIAS, "time/forward/wall"]
    assert wall.value == pytest.approx(2 * float(plain.value or 0))
    assert wall.ratio == pytest.approx(plain.ratio)
    assert found[BASE, "first_call/forward"].value == pytest.approx(0.1 * math.factorial(5) ** 0.2)
    assert found[BIAS, "first_call/forward"].ratio == pytest.approx(1.0)


def test_why_a_group_stopped_is_on_its_times() -> None:
    assert rows(both(5), stops={case().group: "precise"})[BIAS, "time/forward"].stop_reason == "precise"


# --- where there is no trustworthy number -------------------------------------------------------------------------


def test_one_process_gives_a_status_and_a_sentence() -> None:
    found = one(both(1))
    assert (found.status, found.value, found.low, found.ratio) == ("invalid", None, None, None)
    assert found.reason == "1 process: nothing is known of how far the next one would be from it"


def test_fewer_than_five_processes_give_a_value_without_an_interval() -> None:
    found = one(both(4))
    assert found.status == "ok"
    assert found.value is not None
    assert found.ratio is not None
    assert (found.low, found.high, found.ratio_low, found.ratio_high, found.confidence) == (None,) * 5
    assert found.reason == f"4 processes: an interval needs at least {FEWEST}"


@pytest.mark.parametrize(
    ("seconds", "reason"),
    [
        ([1e-3] * 4, "all 20 samples are equal: the clock stands still or is coarser than what it timed"),
        ([math.nan] * 4, "0 of 20 samples are valid: 20 not finite"),
        ([math.inf] * 4, "0 of 20 samples are valid: 20 not finite"),
        ([0.0] * 4, "0 of 20 samples are valid: 20 zero or negative"),
        ([-1.0, -2.0, 0.0, -1.0], "0 of 20 samples are valid: 20 zero or negative"),
    ],
)
def test_times_that_mean_nothing_give_a_status_and_a_sentence(seconds: list[float], reason: str) -> None:
    found = one([*timed(BASE, noise(1, 5)), *timed(BIAS, [seconds] * 5)])
    assert (found.status, found.reason) == ("invalid", reason)
    assert (found.value, found.low, found.ratio, found.ratio_low) == (None, None, None, None)
    assert found.samples == 20


def test_fewer_than_half_of_the_samples_valid_is_invalid_with_the_flags() -> None:
    flags: tuple[tuple[Flag, ...], ...] = (("page_faults",), ("page_faults",), ("stolen",), ())
    spoilt = [record(BIAS, process=p, samples=(samples(s[:4], flags=flags),)) for p, s in enumerate(noise(1, 6), 1)]
    found = one(spoilt)
    assert (found.status, found.value) == ("invalid", None)
    assert found.reason == "6 of 24 samples are valid: 12 page faults, 6 stolen"


def test_an_empty_series_is_no_row() -> None:
    assert estimate([]) == ()
    assert estimate([record(process=0)]) == ()


def test_a_baseline_without_a_number_is_said_where_the_ratio_is_missing() -> None:
    found = one([*timed(BASE, [[1e-3] * 4] * 5), *timed(BIAS, noise(1, 5))])
    assert found.status == "ok"
    assert found.ratio is None
    assert "no ratio: the baseline has no trustworthy time" in found.facts


def test_processes_that_baseline_and_variant_do_not_share_give_no_interval() -> None:
    found = one([*timed(BASE, noise(1, 3)), *list(timed(BASE, noise(2, 9)))[6:], *timed(BIAS, noise(3, 6))])
    assert found.low is not None
    assert found.ratio is not None
    assert found.ratio_low is None
    assert "the ratio to the baseline has no interval: 3 processes: an interval needs at least 5" in found.facts


def test_a_failed_process_beside_five_good_ones_is_a_fact() -> None:
    lost = record(process=6, status="oom", reason="tried to allocate 4 GiB")
    found = one([*both(5), lost])
    assert found.status == "ok"
    assert found.ratio_low is not None
    assert "1 of 6 processes ended as oom: tried to allocate 4 GiB" in found.facts


def test_a_failed_process_beside_four_good_ones_is_a_failure() -> None:
    lost = record(process=5, status="timeout", reason="60 s")
    found = one([*both(4), lost])
    assert (found.status, found.reason, found.value) == ("timeout", "60 s", None)


def test_a_case_that_failed_at_once_has_a_row_for_every_phase() -> None:
    lost = record(process=1, status="failed", reason="RuntimeError: no")
    ways = {"forward": noise(1, 5)[0], "backward": noise(1, 5)[1]}
    found = rows([*(record(BASE, ways, process=p) for p in range(1, 6)), lost])
    assert {m: found[BIAS, m].status for m in ("time/forward", "time/backward")} == {
        "time/forward": "failed",
        "time/backward": "failed",
    }
    assert found[BIAS, "time/forward"].reason == "RuntimeError: no"
    assert list(rows([lost])) == [(BIAS, "time/forward")]
    assert list(rows([lost], phases={"conv/bias_before_bn": ("inference",)})) == [(BIAS, "time/inference")]


def test_the_worst_status_stands_for_a_case() -> None:
    lost = [record(process=1, status="failed", reason="a"), record(process=2, status="oom", reason="b")]
    assert one(lost).status == "oom"
    assert one(lost[::-1]).reason == "b"


# --- values, work and rates ---------------------------------------------------------------------------------------


def test_a_ratio_says_when_some_of_its_processes_count_less_and_what_they_would_give_alike() -> None:
    rng = np.random.default_rng(5)
    spread = np.array([0.001] * 8 + [0.1] * 4)[:, None]
    base = np.exp(0.001 * rng.normal(size=(12, 9)))
    own = base * np.exp(np.where(spread > 0.01, 0.06, 0.02) + spread * rng.normal(size=(12, 9)))
    found = one([*timed(BASE, base.tolist()), *timed(BIAS, own.tolist())])
    assert found.ratio == pytest.approx(1.02, abs=0.002)
    (told,) = (fact for fact in found.facts if fact.startswith("rounds of some processes scatter: the 12 count as 8."))
    assert re.search(r"alike they give \+[34]\.\d* %", told)
    steady = one([*timed(BASE, base.tolist()), *timed(BIAS, (1.02 * base[:, ::-1]).tolist())])
    assert not any("scatter" in fact for fact in steady.facts)


def facts_of(variant: str, values: Mapping[str, float | str], process: int = 0) -> Record:
    return record(variant, process=process, values=values)


def test_exact_values_take_no_statistics() -> None:
    found = rows([facts_of(BASE, {"memory/peak/forward": 4096.0}), facts_of(BIAS, {"memory/peak/forward": 5120.0})])
    bias = found[BIAS, "memory/peak/forward"]
    assert (bias.value, bias.low, bias.confidence) == (5120.0, None, None)
    assert (bias.ratio, bias.ratio_low, bias.ratio_high) == (1.25, 1.25, 1.25)
    assert found[BASE, "memory/peak/forward"].ratio is None


def test_exact_values_that_differ_between_processes_are_told_and_the_largest_is_shown() -> None:
    found = one(
        [facts_of(BASE, {"memory/parameters": v}, p) for p, v in enumerate((1.0, 3.0, 2.0))], BASE, "memory/parameters"
    )
    assert found.value == 3.0
    assert found.facts == ("exact, but differs between processes: 3 values; the largest is shown",)


def test_nothing_against_nothing_is_the_same_and_something_against_nothing_has_no_ratio() -> None:
    def bias(mine: float) -> Estimate:
        records = [facts_of(BASE, {"memory/parameters": 0.0}), facts_of(BIAS, {"memory/parameters": mine})]
        return one(records, BIAS, "memory/parameters")

    assert bias(0.0).ratio == 1.0
    assert bias(64.0).ratio is None
    assert bias(64.0).facts == ("no ratio: the baseline's is 0",)


def test_texts_are_values_too() -> None:
    found = one([facts_of(BASE, {"bits/output": "ab"}), facts_of(BIAS, {"bits/output": "ab"})], BIAS, "bits/output")
    assert (found.value, found.ratio, found.process_values) == ("ab", None, ())


def test_a_value_that_is_no_number_is_invalid() -> None:
    found = one([facts_of(BASE, {"memory/parameters": math.nan})], BASE, "memory/parameters")
    assert (found.status, found.value) == ("invalid", None)
    found = one([facts_of(BASE, {"memory/rss": math.inf})], BASE, "memory/rss")
    assert (found.status, found.value) == ("invalid", None)


def test_resident_memory_has_an_interval_over_processes_and_speaks_alone_without_one() -> None:
    readings = (5.0e6, 5.1e6, 4.9e6, 5.2e6, 5.0e6)
    found = one([facts_of(BASE, {"memory/rss": v}, p) for p, v in enumerate(readings)], BASE, "memory/rss")
    assert found.low is not None
    assert found.low < 5.0e6 < float(found.high or 0)
    alone = rows([facts_of(BASE, {"memory/rss": 5e6}), facts_of(BIAS, {"memory/rss": 6e6})])[BIAS, "memory/rss"]
    assert (alone.value, alone.low, alone.ratio_low) == (6e6, None, None)
    assert alone.ratio == pytest.approx(1.2)
    nothing = one([facts_of(BASE, {"memory/rss": 0.0})], BASE, "memory/rss")
    assert (nothing.value, nothing.low, nothing.ratio) == (0.0, None, None)


def test_rates_are_work_by_time() -> None:
    values = {"work/flops(torch)": 2e9, "work/flops(torch)/backward": 5e9, "bytes_moved": 3e6}
    ways = {"forward": noise(1, 5), "backward": noise(2, 5)}
    timed_ways = [record(BASE, {way: s[p] for way, s in ways.items()}, process=p + 1) for p in range(5)]
    found = rows([facts_of(BASE, values), *timed_ways])
    time, rate = found[BASE, "time/forward"], found[BASE, "rate/flops/forward"]
    assert rate.value == pytest.approx(2e9 / float(time.value or 1))
    assert (rate.low, rate.high) == pytest.approx((2e9 / float(time.high or 1), 2e9 / float(time.low or 1)))
    assert rate.process_values == pytest.approx([2e9 / t for t in time.process_values])
    backward = float(found[BASE, "time/backward"].value or 1)
    assert found[BASE, "rate/flops/backward"].value == pytest.approx(5e9 / backward)
    assert found[BASE, "rate/bytes/forward"].value == pytest.approx(3e6 / float(time.value or 1))
    assert (BASE, "rate/bytes/backward") not in found
    assert not any(metric.startswith("bytes_moved") for _, metric in found)


def test_the_authors_formula_goes_before_torchs_count_and_rates_compare_work_too() -> None:
    counted = {"work/flops(torch)": 1e9, "work/flops(formula)": 4e9}
    found = rows([facts_of(BASE, {"work/flops(torch)": 2e9}), facts_of(BIAS, counted), *both(5)])
    time, rate = found[BIAS, "time/forward"], found[BIAS, "rate/flops/forward"]
    assert rate.value == pytest.approx(4e9 / float(time.value or 1))
    assert rate.ratio == pytest.approx(2 / float(time.ratio or 1))
    assert (rate.ratio_low, rate.ratio_high) == pytest.approx(
        (2 / float(time.ratio_high or 1), 2 / float(time.ratio_low or 1))
    )


def test_there_is_no_rate_without_a_time() -> None:
    records = [facts_of(BASE, {"work/flops(torch)": 2e9}), *timed(BASE, [[1e-3] * 4] * 5)]
    assert (BASE, "rate/flops/forward") not in rows(records)


# --- metronomes ---------------------------------------------------------------------------------------------------


def with_metronomes(processes: int, follow: float) -> list[Record]:
    """Both variants on a machine whose speed wanders by 20 %, which the times ``follow`` in full or not at all."""
    speeds = np.exp(0.2 * np.random.default_rng(5).normal(size=processes))
    beats = {p: {"hash": (1e-4 * s,) * 8, "copy": (3e-4 * s,) * 8} for p, s in enumerate(speeds, start=1)}
    return [
        replace(r, metronomes=beats[r.process])
        for variant, seed in ((BASE, 1), (BIAS, 2))
        for r in timed(variant, (np.array(noise(seed, processes)) * speeds[:, None] ** follow).tolist())
    ]


def test_adjusted_times_stand_beside_raw_ones() -> None:
    found = rows(with_metronomes(8, follow=1.0))
    raw, adjusted = found[BIAS, "time/forward"], found[BIAS, "time/forward/adjusted"]
    assert np.std(np.log(adjusted.process_values)) < 0.2 * np.std(np.log(raw.process_values))
    assert adjusted.facts[0].startswith("coefficient ")
    assert adjusted.ratio == pytest.approx(float(raw.ratio or 0), rel=0.01)


def test_where_adjusting_does_not_help_the_time_says_so() -> None:
    found = rows(with_metronomes(8, follow=0.0))
    assert (BIAS, "time/forward/adjusted") not in found
    assert found[BIAS, "time/forward"].facts[-1].startswith("not adjusted by the metronomes: coefficient ")


# --- what one process adds ----------------------------------------------------------------------------------------


def test_a_process_adds_one_log_ratio_for_each_variant_and_phase() -> None:
    records = [
        record(BASE, {"forward": (1.0, 1.0, 1.0), "backward": (2.0, 2.0)}, process=7),
        record(BIAS, {"forward": (1.1, 1.2, 1.3), "backward": (2.0, 2.0)}, process=7),
    ]
    found = process_log_ratios(records)
    assert {key: value.log for key, value in found.items()} == pytest.approx(
        {(BIAS, "forward"): math.log(1.2), (BIAS, "backward"): 0.0}
    )
    assert found[BIAS, "forward"].variance > 0
    assert math.isnan(found[BIAS, "backward"].variance)  # two rounds do not tell


def test_without_a_baseline_a_process_adds_log_times_under_names_of_their_own() -> None:
    assert process_log_ratios([record(BIAS, (2.0, 2.0, 3.0))]) == {
        (BIAS, "forward alone"): pytest.approx((math.log(2), 0.0))
    }


def test_a_process_without_a_valid_sample_adds_nothing() -> None:
    assert process_log_ratios([record(BIAS, (math.nan, -1.0)), record(BASE, (1.0, 1.0))]) == {
        (BASE, "forward alone"): (0.0, 0.0)
    }
    assert process_log_ratios([record(BASE, process=0)]) == {}
