import math

import numpy as np
import pytest
from builders import record, samples

from bench.analysis.times import Times, times_of
from bench.model import Flag, Record

SPREAD = (1.0, 1.5, 1.25, 1.75)


def times(*records: Record, sibling: str = "") -> Times:
    found = times_of(records, "forward", sibling)
    assert found is not None
    return found


def flagged(process: int, *flags: tuple[Flag, ...]) -> Record:
    return record(process=process, samples=(samples(SPREAD, flags=flags),))


def test_a_phase_that_was_not_timed_has_no_times() -> None:
    assert times_of([record(seconds={"backward": SPREAD})], "forward") is None


def test_a_process_value_is_the_median_of_its_valid_rounds() -> None:
    found = times(record(process=3, seconds=(1.0, 4.0, 2.0)), record(process=5, seconds=(8.0, math.nan, 2.0, -1.0)))
    assert found.by_process == pytest.approx({3: math.log(2), 5: math.log(4)})
    assert (found.samples, found.valid_samples) == (7, 5)
    assert found.spoilt == {"not finite": 1, "zero or negative": 1}


def test_flagged_samples_are_kept_but_not_used() -> None:
    found = times(flagged(1, (), ("page_faults",), ("page_faults", "stolen"), ()))
    assert found.samples == 4
    assert found.by_process == pytest.approx({1: (math.log(1.0) + math.log(1.75)) / 2})
    assert found.flags == {"page_faults": 0.5, "stolen": 0.25}


def test_fewer_than_half_valid_is_trouble_that_names_the_flags() -> None:
    found = times(flagged(1, ("page_faults",), ("page_faults",), ("preempted",), ()), flagged(2, (), (), (), ()))
    assert found.trouble == ""
    found = times(flagged(1, ("page_faults",), ("page_faults",), ("preempted",), ()))
    assert found.trouble == "1 of 4 samples are valid: 2 page faults, 1 preempted"


@pytest.mark.parametrize("bad", [math.nan, math.inf, 0.0, -1.0])
def test_impossible_times_are_trouble(bad: float) -> None:
    found = times(record(process=1, seconds=(bad,) * 3), record(process=2, seconds=(bad,) * 3))
    assert found.trouble.startswith("0 of 6 samples are valid: 6 ")
    assert found.by_process == {}


def test_a_clock_that_stands_still_is_trouble() -> None:
    found = times(*(record(process=p, seconds=(1e-3,) * 4) for p in (1, 2)))
    assert found.trouble == "all 8 samples are equal: the clock stands still or is coarser than what it timed"


def test_one_process_is_trouble() -> None:
    assert times(record(seconds=SPREAD)).trouble.startswith("1 process: ")


def test_the_step_of_the_clock_is_its_smallest_difference() -> None:
    ticks = np.array([20, 21, 20, 22, 20, 25]) * 1e-6
    found = times(record(process=1, seconds=ticks.tolist()), record(process=2, seconds=ticks.tolist()))
    assert found.step == pytest.approx(1 / 20.5)
    assert found.trouble == ""


def test_a_fine_clock_has_no_step() -> None:
    assert times(record(process=1, seconds=SPREAD), record(process=2, seconds=SPREAD[1:])).step == 0


def test_ratios_use_rounds_that_are_valid_for_both_and_processes_that_both_have() -> None:
    mine = times(record(process=1, seconds=(2.0, 6.0, 8.0, math.nan)), record(process=2, seconds=(1.0,)))
    base = times(record("no_bias", (1.0, 2.0, 1.0, 9.0, 9.0), process=1), record("no_bias", (1.0,), process=4))
    found = mine.ratios_to(base)
    assert found.keys() == {1}
    scatter = 1.4826 * (math.log(3) - math.log(2))  # of 2, 3 and 8 about 3 in logarithms
    assert found[1] == pytest.approx((math.log(3), math.pi / 2 * scatter**2 / 3))
    assert mine.ratios_to(times(record("no_bias", SPREAD, process=9))) == {}


def test_a_launch_bound_sample_spoils_the_device_time_but_not_the_time_of_launching() -> None:
    siblings = {"enqueue": SPREAD, "hot": SPREAD}
    bound = record(samples=(samples(SPREAD, flags=(("launch_bound",),) * 4, siblings=siblings),))
    assert times(bound).valid_samples == 0
    assert times(bound, sibling="hot").valid_samples == 0
    assert times(bound, sibling="enqueue").valid_samples == 4
    assert times(bound, sibling="enqueue").flags == {"launch_bound": 1.0}
