from __future__ import annotations

from collections import Counter

import pytest

from bench.measure.schedule import METRONOME, rotated, rounds


def told(variants: list[str], count: int, phases: tuple[str, ...] = ("forward",), first: int = 0) -> list[str]:
    """``round 0: no_bias bias`` for each round and phase."""
    lines: list[str] = []
    number = first - 1
    for step in rounds(variants, dict.fromkeys(phases, 3), count, first):
        if step.name == METRONOME:
            number += 1
            lines.append(f"round {number}:")
        else:
            lines[-1] += f" {step.name}" + (f".{step.phase}" if len(phases) > 1 else "")
    return lines


def test_two_variants_change_places_and_change_back() -> None:
    assert told(["no_bias", "bias"], 4) == [
        "round 0: no_bias bias",
        "round 1: bias no_bias",
        "round 2: bias no_bias",
        "round 3: no_bias bias",
    ]


def test_three_variants_go_round_forwards_then_backwards() -> None:
    assert told(["a", "b", "c"], 6) == [
        "round 0: a b c",
        "round 1: b c a",
        "round 2: c a b",
        "round 3: c b a",
        "round 4: a c b",
        "round 5: b a c",
    ]


def test_each_phase_is_asked_of_all_variants_before_the_next_phase() -> None:
    assert told(["a", "b"], 2, ("forward", "backward")) == [
        "round 0: a.forward b.forward a.backward b.backward",
        "round 1: b.forward a.forward b.backward a.backward",
    ]


def test_a_later_process_begins_with_another_variant() -> None:
    assert told(["a", "b", "c"], 1, first=1) == ["round 1: b c a"]


@pytest.mark.parametrize("variants", range(1, 8))
def test_over_a_square_of_rounds_every_variant_stands_in_every_place_equally_often(variants: int) -> None:
    names = [f"v{i}" for i in range(variants)]
    for first in range(variants + 1):
        places: Counter[tuple[int, str]] = Counter()
        for line in told(names, 2 * variants, first=first):
            places.update(enumerate(line.split()[2:]))
        assert set(places.values()) == {2}


@pytest.mark.parametrize("variants", range(2, 6))
def test_a_linear_drift_cancels_between_any_two_variants(variants: int) -> None:
    names = [f"v{i}" for i in range(variants)]
    moments = dict.fromkeys(names, 0)
    order = [name for line in told(names, 2 * variants) for name in line.split()[2:]]
    for moment, name in enumerate(order):
        moments[name] += moment
    assert len(set(moments.values())) == 1


def test_every_round_begins_with_the_metronomes_and_carries_the_loops_of_its_phase() -> None:
    steps = rounds(["a", "b"], {"forward": 7, "backward": 2}, 2)
    assert [step.name == METRONOME for step in steps] == [True, False, False, False, False] * 2
    assert {(step.phase, step.loops) for step in steps if step.name != METRONOME} == {("forward", 7), ("backward", 2)}


def test_a_rotation_keeps_the_cyclic_order() -> None:
    assert ["".join(rotated("abc", by)) for by in range(4)] == ["abc", "bca", "cab", "abc"]
    assert rotated([], 3) == []
