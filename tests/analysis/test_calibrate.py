import math
import re
from dataclasses import replace

import numpy as np
import pytest
from builders import case, estimate

from bench.analysis.calibrate import calibrate
from bench.analysis.rates import Calibration, floor, power, quoted, sentence
from bench.errors import BenchError
from bench.model import Estimate

CASES = tuple(case(point={"n": n}) for n in range(4))


def run(seed: int, *, between: float = 0.0, slower: float = 0.0, processes: int = 16) -> list[Estimate]:
    """One run of four cases: 1 % spread around a value that moves by ``between`` from run to run."""
    rng = np.random.default_rng(seed)
    rows = []
    for of in CASES:
        middle = math.log(1e-3) + between * rng.normal() + math.log1p(slower)
        values = tuple(np.exp(middle + 0.01 * rng.normal(size=processes)).tolist())
        rows.append(estimate(of, value=math.exp(middle), process_values=values))
    return rows


def calibrated(runs: int = 10, between: float = 0.0) -> Calibration:
    return calibrate([run(seed, between=between) for seed in range(runs)])


def test_a_steady_machine_raises_no_false_alarm_and_says_how_sure_that_is() -> None:
    rate = calibrated().false_alarms
    assert (rate.hits, rate.pairs, rate.low) == (0, 45, 0.0)
    assert rate.high == pytest.approx(1 - 0.025 ** (1 / 9))  # nine independent comparisons, not 45


def test_a_machine_that_moves_between_runs_gets_a_floor_that_holds_for_runs_it_was_not_made_from() -> None:
    found = calibrated(between=0.05)
    assert 0 < found.false_alarms.share < 0.1  # with the floors of all ten runs, their own pairs raise none
    of = found.cases[0]
    assert of.between_runs == pytest.approx(0.05, rel=0.7)
    assert of.floor > 0.1
    assert of.smallest_change is not None
    assert of.smallest_change > of.floor
    assert calibrated().cases[0].floor < 0.02


def test_the_floor_holds_back_the_differences_between_runs_of_the_same_code() -> None:
    # The floors of 20 runs against the differences of the next 60 of the same machine.
    found = calibrated(20, between=0.03)
    fresh = [run(seed, between=0.03) for seed in range(100, 160)]
    told = [
        abs(math.log(float(a.value or 0) / float(b.value or 0))) > math.log1p(floor(found, a.case.id, a.metric) or 0)
        for one, other in zip(fresh[::2], fresh[1::2], strict=True)
        for a, b in zip(one, other, strict=True)
    ]
    assert np.mean(told) <= 0.05


def test_the_smallest_change_is_found_with_that_power() -> None:
    found = calibrated()
    smallest = max(c.smallest_change or math.inf for c in found.cases)
    assert 0.02 < smallest < 0.06
    again = calibrate(
        [run(seed) for seed in range(50, 60)], {smallest: [run(s, slower=smallest) for s in range(80, 90)]}
    )
    assert again.injected[0].found.share >= 0.9


def test_larger_injections_are_found_more_often() -> None:
    slowed = {share: [run(seed, slower=share) for seed in range(20, 26)] for share in (0.0, 0.025, 0.03, 0.05)}
    found = calibrate([run(seed) for seed in range(6)], slowed)
    shares = [injected.found.share for injected in found.injected]
    assert shares == sorted(shares)
    assert (shares[0], shares[-1]) == (0.0, 1.0)
    assert [i.share for i in found.cases[0].injected] == [0.0, 0.025, 0.03, 0.05]
    assert found.injected[1].found.pairs == 6 * 6 * 4


def test_a_speedup_is_not_found_as_a_slowdown() -> None:
    found = calibrate([run(seed) for seed in range(4)], {-0.1: [run(9, slower=-0.1)]})
    assert found.injected[0].found.hits == 0


def test_power_rises_with_the_change() -> None:
    of = calibrated().cases[0]
    powers = [power(of, change) for change in (0.0, 0.01, 0.02, 0.03, 0.04, 0.1)]
    assert powers == sorted(powers)
    assert (powers[0], powers[-1]) == (0.0, 1.0)
    assert len(of.visible) == 90


def test_adjusted_times_stand_in_where_every_run_has_them() -> None:
    def with_adjusted(seed: int) -> list[Estimate]:
        wild = run(seed, between=0.3)
        steady = [
            estimate(e.case, f"{e.metric}/adjusted", process_values=e.process_values, value=e.value) for e in run(seed)
        ]
        return [*wild, *steady]

    found = calibrate([with_adjusted(seed) for seed in range(5)])
    assert [c.adjusted for c in found.cases] == [True] * 4
    assert [c.metric for c in found.cases] == ["time/forward"] * 4
    assert found.false_alarms.hits == 0
    mixed = calibrate([*(with_adjusted(seed) for seed in range(4)), run(4, between=0.3)])
    assert [c.adjusted for c in mixed.cases] == [False] * 4
    assert mixed.false_alarms.hits > 0


def test_what_the_machine_may_have_done_itself_is_no_alarm_and_hides_small_changes() -> None:
    """As in `compare`: metronomes that moved by 10 % between two runs hide changes of up to 15 %."""

    def beside(seed: int, beat: float) -> list[Estimate]:
        steady = run(seed, between=0.05)
        raw = [replace(e, value=beat * float(e.value or 0)) for e in steady]
        return [*raw, *(replace(e, metric=f"{e.metric}/adjusted") for e in steady)]

    still = calibrate([beside(seed, 1.0) for seed in range(5)])
    moving = calibrate([beside(seed, 1.1**seed) for seed in range(5)])
    assert still.false_alarms.hits > 0
    assert moving.false_alarms.hits == 0
    for calm, wild in zip(still.cases, moving.cases, strict=True):
        assert min(wild.visible) > 0.1
        assert max(wild.visible) > max(calm.visible)


def test_calm_rounds_stand_in_where_every_run_has_enough_and_without_them_small_changes_are_hidden() -> None:
    def beside(seed: int, calm: int) -> list[Estimate]:
        wild, middling, steady = run(seed, between=0.3), run(seed, between=0.1), run(seed)
        few = [replace(e, process_values=e.process_values[:calm]) for e in steady]
        rows = {"": wild, "/adjusted": middling, "/calm": few, "/calm_adjusted": few if calm >= 5 else []}
        return [replace(e, metric=f"{e.metric}{name}") for name, found in rows.items() for e in found]

    calm = calibrate([beside(seed, 12) for seed in range(5)])
    assert calm.false_alarms.hits == 0
    assert max(max(c.visible) for c in calm.cases) < 0.1
    restless = calibrate([beside(seed, 12 if seed else 4) for seed in range(5)])
    assert [c.adjusted for c in restless.cases] == [True] * 4
    assert min(min(c.visible) for c in restless.cases) > 0
    assert max(max(c.visible) for c in restless.cases) > 0.2


def test_cases_that_some_run_lacks_are_left_out() -> None:
    found = calibrate([run(0), run(1)[1:], run(2)])
    assert [c.case for c in found.cases] == [of.id for of in CASES[1:]]


def test_too_few_runs_or_processes_are_a_mistake_that_says_what_to_do() -> None:
    with pytest.raises(BenchError, match="needs two runs of the same code or more, not 1: raise --repeats"):
        calibrate([run(0)])
    with pytest.raises(BenchError, match="not 0"):
        calibrate([])
    with pytest.raises(BenchError, match="no case with 5 processes in every run: raise --processes"):
        calibrate([run(0), run(1, processes=4)])
    noisy = [replace(e, status="invalid", reason="45 samples preempted") for e in run(1)]
    with pytest.raises(BenchError, match=r"in every run: conv/.*@cpu is invalid \(45 samples preempted\)$"):
        calibrate([run(0), noisy])


def test_two_runs_have_no_power_to_tell() -> None:
    found = calibrate([run(0), run(1)])
    assert {c.smallest_change for c in found.cases} == {None}
    assert "sees" not in sentence(found)


def test_the_floor_of_what_was_not_calibrated_is_unknown() -> None:
    found = calibrated(3)
    assert floor(found, CASES[0].id, "time/forward") == found.cases[0].floor
    assert floor(found, CASES[0].id, "time/backward") is None
    assert floor(found, "other", "time/forward") is None


def test_the_sentence_has_the_rate_its_interval_and_what_is_seen() -> None:
    told = sentence(calibrated())
    assert told.startswith("this gate on this machine: false alarms in 0 % of comparisons [0 %, 34 %], sees +")
    assert told.endswith(" in all (95 % power); 10 runs of the same code")


def test_what_a_report_quotes_has_the_day_the_rate_and_what_half_of_the_cases_show() -> None:
    found = calibrate([run(seed) for seed in range(10)], measured="2026-11-21T21:24:00Z")
    assert re.fullmatch(
        r"On this machine, as calibrated on 2026-11-21 with 10 runs: false alarms of bench compare in "
        r"0 % \[0 %, 34 %\] of pairs; half of the cases show a change of \d(\.\d)? % with 95 % power\.",
        quoted(found),
    )
    two = quoted(calibrate([run(0), run(1)]))
    assert two.startswith("On this machine, as calibrated with 2 runs: false alarms")
    assert two.endswith("of pairs.")
