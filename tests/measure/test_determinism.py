"""Planted defects that must be found, and habits that must not be called defects."""

from __future__ import annotations

import itertools
import os
import random
import struct
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy
import pytest
import torch
from torch import nn

from bench.measure import determinism_kept
from bench.measure.determinism import probe
from bench.measure.messages import Open, Probe
from bench.model import Check
from bench.suite import Subject

CASE = Open(name="x", file="x.py", benchmark="x", variant="x", like="x", point=(), seed=0)


def asked(**fields: Any) -> Probe:
    return Probe(**{"case": CASE, "level": "quick", "repeats": 5, "seconds": 5.0, **fields})


def checks(call: Callable[..., Any], *inputs: Any, backward: bool = False, **fields: Any) -> dict[str, Check]:
    _, found = probe(Subject(call, *inputs), asked(**fields), backward=backward)
    return {check.what: check for check in found}


def output(call: Callable[..., Any], *inputs: Any, **fields: Any) -> Check:
    return checks(call, *inputs, **fields)["output"]


# --- found -----------------------------------------------------------------------------------------------------------


def read_uninitialised(x: torch.Tensor) -> torch.Tensor:
    return torch.empty(4096)


def read_the_clock(x: torch.Tensor) -> torch.Tensor:
    return x + time.perf_counter_ns() % 1009


def add_in_order_of_arrival(x: torch.Tensor) -> torch.Tensor:
    """What atomics do: the same numbers, added in whatever order threads come."""
    total, door = [numpy.float32(0)], threading.Lock()

    def add(number: numpy.float32) -> None:
        time.sleep(os.urandom(1)[0] * 1e-5)
        with door:
            total[0] += number

    # Large numbers that cancel: of two orders of arrival 19 in 20 give another sum.
    numbers = numpy.sqrt(numpy.arange(1, 65)) * 1e3 * (-1) ** numpy.arange(64) + 1 / 3
    threads = [threading.Thread(target=add, args=(number,)) for number in numbers.astype(numpy.float32)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return torch.tensor(total[0])


def draw_unseeded(x: torch.Tensor) -> torch.Tensor:
    return x + float(numpy.random.default_rng().standard_normal())


@pytest.mark.parametrize("call", [read_uninitialised, read_the_clock, add_in_order_of_arrival, draw_unseeded])
def test_a_result_that_depends_on_chance_differs(call: Callable[..., Any]) -> None:
    check = output(call, torch.ones(8))
    assert check.verdict == "differs"
    assert check.differing > 0
    assert check.reason.startswith(f"{check.differing} of 5 repeats differed; output/0")


def test_what_differs_gets_no_hash() -> None:
    values, _ = probe(Subject(read_the_clock, torch.ones(8)), asked(), backward=False)
    assert values["bits/output"] == "differs"


def test_a_cache_that_changes_results_differs() -> None:
    cache: dict[str, torch.Tensor] = {}

    def rounded_from_the_second_call_on(x: torch.Tensor) -> torch.Tensor:
        if "x" in cache:
            return cache["x"]
        cache["x"] = (x * 1.1).half().float()
        return x * 1.1

    check = output(rounded_from_the_second_call_on, torch.rand(64))
    assert (check.verdict, check.differing) == ("differs", 5)
    assert check.reason.startswith(
        "5 of 5 repeats differed; they agree with each other, only the first call does not; output/0"
    )


def test_calls_that_all_differ_are_not_said_to_agree() -> None:
    calls = itertools.count()
    assert "agree" not in output(lambda x: x + next(calls), torch.rand(4)).reason


class Remembering(nn.Module):
    """Its result depends on the statistics that the calls before have left."""

    def __init__(self) -> None:
        super().__init__()
        self.norm = nn.BatchNorm1d(4)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(x) + self.norm.running_mean


def test_state_that_a_result_depends_on_is_told_and_put_back() -> None:
    module = Remembering()
    check = output(module, torch.randn(8, 4))
    assert check.verdict == "repeats"
    assert "depends on what earlier calls left in norm.running_mean" in check.reason
    assert torch.equal(module.norm.running_mean, torch.zeros(4))


def test_an_input_that_is_changed_is_named() -> None:
    def double(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
        return a + b.mul_(2)

    b = torch.ones(3)
    check = output(double, torch.ones(3), b)
    assert check.verdict == "mutates"
    assert check.reason == "changes input/1; 0 of 5 repeats differed: fewer than 45 % differ, at 95 %"
    assert torch.equal(b, torch.ones(3))


def test_a_numpy_input_that_is_changed_is_found() -> None:
    array = numpy.zeros(3)

    def count(x: numpy.ndarray) -> torch.Tensor:
        x += 1
        return torch.tensor(x)

    assert output(count, array).verdict == "mutates"
    assert array.tolist() == [0, 0, 0]


def bits(pattern: int) -> torch.Tensor:
    return torch.tensor(struct.unpack("i", struct.pack("I", pattern))[0], dtype=torch.int32).view(torch.float32)


@pytest.mark.parametrize(
    ("first", "then", "told"),
    [
        (0x00000000, 0x80000000, "is -0.0, was 0.0 (1 of 1 elements)"),
        (0x7FC00000, 0x7FC00001, "is nan (0x7fc00001), was nan (0x7fc00000) (1 of 1 elements)"),
    ],
)
def test_zeros_with_signs_and_nan_payloads_are_bits_too(first: int, then: int, told: str) -> None:
    calls = itertools.count()
    check = output(lambda: bits(first if next(calls) < 1 else then).clone())
    assert (check.verdict, check.differing) == ("differs", 5)
    assert check.reason.endswith(told)


class NoisyGradient(torch.autograd.Function):
    @staticmethod
    def forward(context: Any, x: torch.Tensor) -> torch.Tensor:
        return x * 2

    @staticmethod
    def backward(context: Any, gradient: torch.Tensor) -> torch.Tensor:
        return gradient * 2 + time.perf_counter_ns() % 1009


def test_a_gradient_that_differs_is_told_by_its_name() -> None:
    found = checks(NoisyGradient.apply, torch.ones(4), backward=True)
    assert found["output"].verdict == "repeats"
    assert found["gradient"].verdict == "differs"
    assert "input/0[0]" in found["gradient"].reason


@pytest.mark.parametrize(
    "draw",
    [
        lambda x: x + random.random(),
        lambda x: x + numpy.random.rand(),
        lambda x: x + torch.rand(1),
        nn.functional.dropout,
    ],
)
def test_what_draws_from_a_global_generator_is_random_and_repeats_from_its_seed(draw: Callable[..., Any]) -> None:
    check = output(draw, torch.ones(64))
    assert (check.verdict, check.differing) == ("random", 0)


def test_generators_that_the_call_owns_are_put_back() -> None:
    own = torch.Generator().manual_seed(3)
    data = torch.utils.data.DataLoader(list(range(32)), shuffle=True, generator=own, batch_size=32)
    check = output(lambda: next(iter(data)))
    assert (check.verdict, check.differing) == ("random", 0)


# --- not accused -----------------------------------------------------------------------------------------------------


def test_batch_norm_in_training_mode_repeats() -> None:
    module = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
    found = checks(module, torch.randn(2, 3, 8, 8), backward=True)
    assert {check.verdict for check in found.values()} == {"repeats"}
    assert found["output"].reason == "0 of 5 repeats differed: fewer than 45 % differ, at 95 %"


def test_batch_norm_inside_a_function_repeats() -> None:
    norm = nn.BatchNorm1d(4)
    assert output(lambda x: norm(x) * 2, torch.randn(8, 4)).verdict == "repeats"
    assert norm.num_batches_tracked.item() == 0


def test_dropout_repeats_with_its_gradient() -> None:
    found = checks(nn.Sequential(nn.Linear(8, 8), nn.Dropout(0.5)), torch.randn(4, 8), backward=True)
    assert {check.verdict for check in found.values()} == {"random"}
    assert {check.differing for check in found.values()} == {0}


class Scratch(nn.Module):
    """Works in place on buffers of its own."""

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("scratch", torch.zeros(16), persistent=False)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.scratch.copy_(x).mul_(2).clone()


def test_work_in_place_on_buffers_of_its_own_repeats() -> None:
    assert output(Scratch(), torch.randn(16)).verdict == "repeats"
    scratch = torch.zeros(16)
    assert output(lambda x: scratch.copy_(x).exp_(), torch.randn(16)).verdict == "repeats"


def test_results_that_differ_in_their_strides_only_repeat() -> None:
    calls = itertools.count()

    def transposed_at_times(x: torch.Tensor) -> torch.Tensor:
        return x.t().contiguous().t() if next(calls) % 2 else x.clone()

    assert output(transposed_at_times, torch.randn(5, 7)).verdict == "repeats"


# --- effort ----------------------------------------------------------------------------------------------------------


def test_repeats_are_as_many_as_fit_and_are_told() -> None:
    check = output(lambda x: x + 1, torch.ones(1), repeats=20, seconds=0.0)
    assert check.repeats == 1
    assert check.reason == "0 of 1 repeat differed: fewer than 95 % differ, at 95 %"
    assert output(lambda x: x + 1, torch.ones(1), repeats=20, seconds=60.0).repeats == 20


def test_a_result_without_tensors_is_not_judged() -> None:
    assert checks(lambda: None) == {}


# --- another process -------------------------------------------------------------------------------------------------


def kept(folder: Path, call: Callable[..., Any], *inputs: Any, **fields: Any) -> str:
    """A file with the results of this call."""
    file = str(folder / "kept.pt")
    checks(call, *inputs, repeats=0, keep=file, **fields)
    return file


def test_another_process_with_the_same_bits_repeats(tmp_path: Path) -> None:
    x = torch.randn(3, 4)
    file = kept(tmp_path, torch.exp, x, backward=True)
    found = checks(torch.exp, x, backward=True, repeats=0, against=file)
    assert {(check.what, check.verdict, check.repeats) for check in found.values()} == {
        ("output/processes", "repeats", 1),
        ("gradient/processes", "repeats", 1),
    }


def test_another_process_with_other_bits_is_told_where_and_how_far(tmp_path: Path) -> None:
    file = kept(tmp_path, torch.ones, 2, 3)
    check = checks(lambda *_: torch.tensor([[1.0, 1.0, 1.0], [1.0, 1.5, 1.0]]), repeats=0, against=file)
    told = check["output/processes"]
    assert (told.verdict, told.differing, told.relative) == ("differs", 1, 0.5)
    assert told.reason == "output/0[1, 1] is 1.5, was 1.0 (1 of 6 elements)"


def test_a_case_that_another_process_gave_other_values_is_told_so(tmp_path: Path) -> None:
    layer = nn.Linear(4, 4)
    file = kept(tmp_path, layer, torch.ones(2, 4))
    found = checks(layer, torch.ones(2, 4) * 2, repeats=0, against=file)["output/processes"]
    assert found.verdict == "differs"
    assert found.reason.startswith("it was given other values in that process, input/0 first; output/0[0, 0] is ")
    found = checks(nn.Linear(4, 4), torch.ones(2, 4), repeats=0, against=file)["output/processes"]
    assert found.reason.startswith("it was given other values in that process, parameter/weight first; ")


def test_an_input_that_the_call_changes_was_given_as_it_was(tmp_path: Path) -> None:
    file = kept(tmp_path, torch.Tensor.add_, torch.ones(3), 1)
    found = checks(lambda x: x.add_(2), torch.ones(3), repeats=0, against=file)["output/processes"]
    assert found.reason == "output/0[0] is 3.0, was 2.0 (3 of 3 elements)"


def test_results_that_are_too_large_to_keep_are_compared_by_hash(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(determinism_kept, "_LARGEST_BYTES", 8)
    file = kept(tmp_path, torch.ones, 3)
    assert checks(torch.ones, 3, repeats=0, against=file)["output/processes"].verdict == "repeats"
    other = checks(torch.zeros, 3, repeats=0, against=file)["output/processes"]
    assert (other.verdict, other.reason, other.ulp) == ("differs", "output/0 has other bits", None)


def test_a_cell_is_told_its_distance_from_the_default_and_both_from_float64(tmp_path: Path) -> None:
    x = torch.rand(64)
    file = kept(tmp_path, torch.sum, x, level="full")
    same = checks(torch.sum, x, against=file, level="full", knobs="k")["output"]
    assert (same.verdict, same.ulp, same.relative) == ("repeats", 0.0, 0.0)
    assert same.error == same.baseline_error
    other = checks(lambda x: x.sum() * 2, x, against=file, level="full", knobs="k")["output"]
    assert other.verdict == "repeats"
    assert other.relative == pytest.approx(1.0)
    assert other.error is not None
    assert other.baseline_error is not None
    assert other.error > 0.9 > 1e-6 > other.baseline_error
    assert other.reason.endswith("; output/0 is the furthest from the default cell's")
