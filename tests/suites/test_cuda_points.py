"""Sizes meant for a GPU, computed on the meta device: beyond the cache, beyond a launch, within the memory asked for.

The measure is an H100 with 80 GB.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterable, Iterator
from typing import Any

import pytest
import torch

from bench.discover import Found
from bench.measure.subject import build, tensors_in
from bench.model import Point
from bench.suite import Subject
from tests.suites.test_suites import FOUND, held_by

CACHE_BYTES, MEMORY_BYTES, BYTES_PER_SECOND = 50e6, 80e9, 3.3e12
# Half precision, and float32 in convolutions (TF32); float32 in matrix products is IEEE and slower.
FLOPS_PER_SECOND = 400e12
LAUNCH_SECONDS = 5e-6
NEEDS_A_FORMULA = 2e9

MARK = "launch-bound on purpose"
ON_CUDA = [f for f in FOUND.values() if f.benchmark.points("cuda", "standard")]
TIMED = [f for f in ON_CUDA if f.benchmark.phases]
# Timed questions without a small point, and why.
WITHOUT_SMALL = {
    "channels_last_inference": "no claim on the time of a GPU",
    "layout_bits": "no claim on a time",
    "without_synchronize": "64 times the work must take longer",
}


def name(found: Found) -> str:
    return f"{found.suite}/{found.benchmark.name}"


def has_settings(found: Found) -> bool:
    """Variants with Settings: each point costs two processes of its own, so there are few."""
    return any(found.benchmark.settings(v) is not None for v in found.benchmark.variants)


def is_small(found: Found, point: Point) -> bool:
    return MARK in found.path.read_text() and point == found.benchmark.points("cuda", "smoke")[0]


def results_of(subject: Subject) -> list[torch.Tensor]:
    """What a call gives; nothing where it cannot be called without data."""
    with torch.no_grad(), contextlib.suppress(NotImplementedError):
        return list(tensors_in(subject.call(*subject.inputs)))
    return []


def bytes_of(tensors: Iterable[torch.Tensor]) -> int:
    """Bytes of memory, once where several tensors share it: an expanded row is a row."""
    memory = {s._cdata: s.nbytes() for s in [t.untyped_storage() for t in tensors]}
    return sum(memory.values())


def subjects(found: Found, point: Point) -> Iterator[Subject]:
    for variant in found.benchmark.variants:
        yield build(found.benchmark, variant, point, "meta", seed=0)


def moved(subject: Subject) -> int:
    """Bytes of inputs, weights and results of one call."""
    return bytes_of([*held_by(subject), *results_of(subject)])


def flops(subject: Subject) -> float:
    declared: Any = subject.flops or 0
    return float(declared.get("forward", 0) if isinstance(declared, dict) else declared)


@pytest.mark.parametrize("found", TIMED, ids=name)
def test_a_call_outgrows_the_cache_and_the_launch_or_is_small_on_purpose(found: Found) -> None:
    for point in found.benchmark.points("cuda", "large"):
        for subject in subjects(found, point):
            amount = moved(subject)
            seconds = max(amount / BYTES_PER_SECOND, flops(subject) / FLOPS_PER_SECOND)
            if is_small(found, point):
                assert seconds < LAUNCH_SECONDS, point
            else:
                assert amount >= 2 * CACHE_BYTES, point
                assert 4 * LAUNCH_SECONDS <= seconds <= 0.02, point


@pytest.mark.parametrize("found", TIMED, ids=name)
def test_a_timed_question_has_one_small_point(found: Found) -> None:
    marks = found.path.read_text().count(MARK)
    assert marks == (0 if has_settings(found) or found.benchmark.name in WITHOUT_SMALL else 1)


@pytest.mark.parametrize(
    ("suite", "device", "most"),
    [("conv", "cpu", 25), ("conv", "cuda", 25), ("copies", "cuda", 12), ("matmul", "cuda", 12)],
)
def test_a_suite_stays_measurable_in_minutes(suite: str, device: str, most: int) -> None:
    timed = [f.benchmark for f in FOUND.values() if f.suite == suite and f.benchmark.phases]
    assert sum(len(asked.points(device, "standard")) for asked in timed) <= most


@pytest.mark.parametrize("found", ON_CUDA, ids=name)
def test_memory_is_asked_for_before_it_is_allocated(found: Found) -> None:
    needed = found.benchmark.bytes_needed
    points = found.benchmark.points("cuda", "large")
    has_large = points != found.benchmark.points("cuda", "standard")
    for point in points:
        least = at_least(found, point)
        assert needed or (not has_large and least <= NEEDS_A_FORMULA)
        for value in found.benchmark.variants.values() if needed else ():
            assert least <= needed(value, **dict(point)) <= 0.9 * MEMORY_BYTES


def at_least(found: Found, point: Point) -> int:
    """What the variants of a group hold beside each other, with gradients, and one of them in float64."""
    phases = found.benchmark.phases
    groups = [[*held_by(s), *(results_of(s) if phases else ())] for s in subjects(found, point)]
    directions = 2 if "backward" in phases else 1
    in_double = 8 * sum(t.numel() for t in groups[0] if t.is_floating_point())
    return directions * sum(map(bytes_of, groups)) + in_double
