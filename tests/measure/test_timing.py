from __future__ import annotations

from collections.abc import Iterator

import pytest

from bench.measure.timing import (
    LONG_PROCESS_SECONDS,
    PROCESS_SECONDS,
    ROUNDS,
    SAMPLE_SECONDS,
    SETTLE_CALLS,
    STEADY_ROUNDS,
    WarmUp,
    choose_loops,
    choose_rounds,
    lengthened,
    warm_up,
)
from bench.testing import ScriptedDevice


def warmed(*seconds: float) -> WarmUp:
    """Warm up on a device whose calls take so long, the last for ever."""

    def script() -> Iterator[float]:
        yield from seconds
        while True:
            yield seconds[-1]

    return warm_up(ScriptedDevice(script().__next__), lambda loops: None)


def test_a_first_call_is_told_apart_from_the_steady_ones() -> None:
    assert warmed(0.5, 1e-3) == WarmUp(first_call=0.5, settle=4, seconds=1e-3)


def test_calls_that_are_steady_at_once_need_three() -> None:
    assert warmed(1e-3).settle == 3


def test_warming_up_goes_on_while_calls_get_faster() -> None:
    warm = warmed(0.02, 0.01, 5e-3, 2.5e-3, 1.2e-3, 1e-3)
    assert warm.seconds == 1e-3
    assert warm.settle == 8


def test_one_call_at_the_old_speed_is_not_yet_steady() -> None:
    assert warmed(4e-3, 1e-3, 1e-3, 2e-3, 1e-3, 1e-3).settle == 6


def test_warming_up_that_never_gets_steady_ends_after_so_many_calls() -> None:
    unsteady = [1e-4 * (1 + i % 2) for i in range(200)]
    assert warmed(*unsteady).settle == SETTLE_CALLS


def test_a_slow_call_is_not_repeated_until_it_is_steady() -> None:
    assert warmed(5.0, 3.0).settle == 2


def test_a_short_call_is_timed_among_others_of_its_kind() -> None:
    device = ScriptedDevice(iter([5e-6, 4e-6, 4e-6, 4e-6, 1e-6]).__next__)
    assert warm_up(device, lambda loops: None) == WarmUp(first_call=5e-6, settle=4, seconds=1e-6)
    assert device.transcript[-1] == "sample of 250"


def test_a_call_that_fills_a_sample_is_timed_by_itself() -> None:
    device = ScriptedDevice(lambda: SAMPLE_SECONDS / 10)
    warm_up(device, lambda loops: None)
    assert set(device.transcript) == {"once"}


def test_a_launch_on_cuda_is_timed_by_itself() -> None:
    device = ScriptedDevice(lambda: 5e-6)
    device.kind = "cuda"
    warm_up(device, lambda loops: None)
    device.transcript.remove("sample of 1")  # of nothing
    assert device.transcript[-2:] == ["once", "sample of 10"]  # for what a sample costs
    assert set(device.transcript[:-1]) == {"once"}


def test_on_the_cpu_a_sample_costs_what_its_calls_do() -> None:
    assert warmed(1e-5).around == warmed(1e-1).around == 0.0


def test_the_fastest_variant_fills_a_sample_and_all_get_its_loops() -> None:
    assert choose_loops([SAMPLE_SECONDS / 40, SAMPLE_SECONDS / 4]) == 40
    assert choose_loops([1.0, 2.0]) == 1
    assert choose_loops([0.0]) > 1


def test_a_variant_a_thousand_times_slower_than_the_fastest_keeps_samples_short() -> None:
    assert choose_loops([1e-6, 1e-3]) == 50
    assert choose_loops([1e-6, 1.0]) == 1


@pytest.mark.parametrize(
    ("round_seconds", "variants", "expected"),
    [
        (PROCESS_SECONDS / 16, 2, 16),
        (PROCESS_SECONDS / 16, 3, 18),  # the next multiple: each stands in each place equally often
        (PROCESS_SECONDS / 2, 2, STEADY_ROUNDS),
        (LONG_PROCESS_SECONDS / 8, 2, 8),
        (10.0, 2, 6),
        (10.0, 5, ROUNDS[0]),
        (0.0, 2, ROUNDS[1]),
        (0.0, 100, ROUNDS[1]),
    ],
)
def test_rounds_fill_a_process_within_bounds(round_seconds: float, variants: int, expected: int) -> None:
    assert choose_rounds(round_seconds, variants) == expected


def test_a_process_that_may_take_less_has_fewer_rounds_but_enough_for_a_median() -> None:
    half = PROCESS_SECONDS / 2
    assert choose_rounds(PROCESS_SECONDS / 24, 2, half) == 12
    assert choose_rounds(PROCESS_SECONDS / 24, 2, half / 10) == STEADY_ROUNDS


def test_a_planted_slowdown_is_a_share_of_the_median_call_for_every_call_of_a_sample() -> None:
    times = iter([0.01] * 5 + [0.9] * 4)
    device, asked = ScriptedDevice(times.__next__), []
    longer = lengthened(asked.append, 0.05, device)
    asked.clear()
    longer(20)
    assert asked == [20]
    assert device.transcript[-1] == "busy for 0.01 s"
