import math

import numpy as np
import pytest
from builders import record

from bench.analysis.metronome import NOMINAL_SECONDS, adjust, beats

RNG = np.random.default_rng


def machine(seed: int, processes: int = 12, speed: float = 0.0, wander: float = 0.1) -> tuple[dict[int, float], ...]:
    """Log seconds of a case and beats of a machine that wanders around a speed, both with a little noise."""
    rng = RNG(seed)
    slow = speed + wander * rng.normal(size=processes)
    times = math.log(2e-3) + slow + 0.01 * rng.normal(size=processes)
    ticks = math.log(1.7e-4) + slow + 0.01 * rng.normal(size=processes)
    return dict(enumerate(times.tolist(), 1)), dict(enumerate(ticks.tolist(), 1))


def test_a_beat_is_the_mean_over_metronomes_of_their_median_logs() -> None:
    found = beats({3: record(metronomes={"hash": (1.0, 9.0, 1.0), "copy": (4.0, 4.0, math.nan)})})
    assert found == pytest.approx({3: math.log(2)})


def test_only_metronomes_that_all_processes_have_make_the_beat() -> None:
    both = record(process=1, metronomes={"hash": (1.0,), "copy": (4.0,)})
    one = record(process=2, metronomes={"copy": (9.0,)})
    assert beats({1: both, 2: one}) == pytest.approx({1: math.log(4), 2: math.log(9)})
    assert beats({1: both, 2: record(process=2, metronomes={"python": (1.0,)})}) == {}


def test_metronomes_without_a_time_make_no_beat() -> None:
    assert beats({1: record(metronomes={"hash": (0.0, math.inf)}), 2: record(metronomes={})}) == {}


def test_nothing_is_said_where_there_is_no_metronome() -> None:
    found = adjust({1: 0.0}, {}, "cpu")
    assert (found.logs, found.sentence) == ({}, "")


def test_an_adjusted_time_is_what_the_nominal_machine_would_take() -> None:
    nominal = math.log(NOMINAL_SECONDS["cpu"])
    times = {p: math.log(2e-3) + 0.1 * p for p in range(6)}
    found = adjust(times, {p: nominal + 0.1 * p for p in range(6)}, "cpu")
    assert found.logs == pytest.approx(dict.fromkeys(range(6), math.log(2e-3)))


def test_two_reports_of_one_machine_at_other_speeds_come_to_the_same() -> None:
    fast, slow = machine(1), machine(2, speed=0.25)
    raw = np.mean(list(slow[0].values())) - np.mean(list(fast[0].values()))
    means = [np.mean(list(adjust(*of, "cpu").logs.values())) for of in (fast, slow)]
    assert raw > 0.2
    assert means[1] - means[0] == pytest.approx(0.0, abs=0.02)


def test_a_quiet_report_is_adjusted_too_since_its_machine_may_be_slow_throughout() -> None:
    fast, slow = machine(1, wander=0.002), machine(2, speed=0.25, wander=0.002)
    means = [np.mean(list(adjust(*of, "cpu").logs.values())) for of in (fast, slow)]
    assert means[1] - means[0] == pytest.approx(0.0, abs=0.02)


def test_on_the_gpu_a_gain_must_be_seen_since_what_waits_for_memory_does_not_follow_the_clock() -> None:
    quiet = machine(1, wander=0.002)
    assert adjust(*quiet, "cpu").logs
    assert not adjust(*quiet, "cuda").logs
    assert adjust(*machine(1), "cuda").logs


def test_coefficient_and_gain_are_told() -> None:
    times, ticks = machine(3)
    sentence = adjust(times, ticks, "cpu").sentence
    slope, gain = float(sentence.split()[1]), float(sentence.split("gain ")[1].split(":")[0])
    assert slope == pytest.approx(np.polyfit(list(ticks.values()), list(times.values()), 1)[0], abs=0.005)
    raw, left = np.std(list(times.values())), np.std([times[p] - ticks[p] for p in times])
    assert gain == pytest.approx(raw / left, abs=0.005)
    assert sentence.startswith("coefficient 1.")
    assert "±" in sentence


def test_a_case_that_does_not_follow_is_left_alone_with_a_sentence() -> None:
    times, ticks = machine(4)
    other, _ = machine(5)
    found = adjust(other, ticks, "cpu")
    assert found.logs == {}
    assert found.sentence.startswith("not adjusted by the metronomes: coefficient ")
    assert "the spread of processes would grow from " in found.sentence
    assert adjust(times, ticks, "cpu").logs


def test_too_few_processes_are_left_alone_with_a_sentence() -> None:
    times, ticks = machine(6, processes=4)
    found = adjust(times, ticks, "cpu")
    assert (found.logs, found.sentence) == ({}, "not adjusted by the metronomes: 4 processes, 5 are needed")


def test_metronomes_that_never_moved_are_no_mistake() -> None:
    found = adjust(machine(7)[0], dict.fromkeys(range(1, 13), 0.0), "cpu")
    assert found.sentence.startswith("coefficient unknown, for the metronomes did not move, gain 1.00")
    assert len(found.logs) == 12


def test_processes_without_metronomes_are_left_out() -> None:
    times, ticks = machine(8)
    del ticks[2]
    assert sorted(adjust(times, ticks, "cpu").logs) == [p for p in range(1, 13) if p != 2]
