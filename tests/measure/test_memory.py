from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import torch
from torch import nn

from bench.measure.cpu import Cpu
from bench.measure.memory import measure
from bench.suite import Subject
from bench.testing import ScriptedDevice

FLOAT = 4


def peak(subject: Subject, phase: str = "inference") -> float:
    return measure(Cpu(), subject, [phase], 0)[f"memory/peak/{phase}"]


@pytest.fixture
def _without_onednn() -> Iterator[None]:
    """It would reorder weights and outputs into layouts of its own, which differ by processor."""
    torch.backends.mkldnn.set_flags(False)
    yield
    torch.backends.mkldnn.set_flags(True)


def test_parameters_are_counted_exactly_and_buffers_and_functions_are_not() -> None:
    module = nn.Sequential(nn.Linear(3, 5), nn.BatchNorm1d(5))
    module.double()[0].float()
    assert measure(ScriptedDevice(), Subject(module, torch.randn(1, 3)), [], 0) == {
        "memory/parameters": (3 * 5 + 5) * 4 + (5 + 5) * 8
    }
    assert measure(ScriptedDevice(), Subject(torch.relu, torch.randn(3)), [], 0) == {"memory/parameters": 0}


def test_a_parameter_that_two_modules_share_is_there_once() -> None:
    module = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 3, bias=False))
    module[1].weight = module[0].weight
    assert measure(ScriptedDevice(), Subject(module, torch.randn(1, 3)), [], 0)["memory/parameters"] == 36


@pytest.mark.parametrize("dtype", [torch.float32, torch.int8, torch.float64])
def test_a_copy_takes_its_elements_and_not_a_byte_more(dtype: torch.dtype) -> None:
    x = torch.zeros(1000, 37, dtype=dtype)
    assert peak(Subject(torch.clone, x)) == 37_000 * dtype.itemsize


def test_a_view_takes_nothing() -> None:
    x = torch.randn(100, 100)
    for view in (torch.t, lambda x: x.permute(1, 0), lambda x: x[::2], lambda x: x.reshape(-1), torch.detach):
        assert peak(Subject(view, x)) == 0


def test_what_is_alive_at_once_counts_and_what_was_freed_before_does_not() -> None:
    x = torch.randn(1000)
    one = 1000 * FLOAT
    assert peak(Subject(lambda x: x.sin().cos().tan(), x)) == 2 * one
    assert peak(Subject(lambda x: [x.sin(), x.cos(), x.tan()], x)) == 3 * one
    assert peak(Subject(torch.sin_, x)) == 0


@pytest.mark.usefixtures("_without_onednn")
def test_a_convolution_before_batch_norm_holds_both_outputs() -> None:
    n, c_in, c_out, hw = 2, 3, 8, 16
    module = nn.Sequential(nn.Conv2d(c_in, c_out, 1, bias=False), nn.BatchNorm2d(c_out))
    found = peak(Subject(module, torch.randn(n, c_in, hw, hw)), "forward")
    both = 2 * n * c_out * hw * hw * FLOAT
    statistics = found - both  # mean and variance of the batch, and what the kernel makes of them
    assert 0 <= statistics <= 8 * c_out * FLOAT


@pytest.mark.usefixtures("_without_onednn")
def test_the_columns_of_a_convolution_count_while_it_runs() -> None:
    n, c_in, c_out, hw, k = 2, 3, 4, 8, 3
    module = nn.Conv2d(c_in, c_out, k, padding=1, bias=False)
    found = peak(Subject(module, torch.randn(n, c_in, hw, hw)))
    columns, output = n * c_in * k * k * hw * hw * FLOAT, n * c_out * hw * hw * FLOAT
    assert found == columns + output


def test_a_graph_keeps_what_backward_needs_and_inference_does_not() -> None:
    x = torch.randn(1000)
    subject = Subject(lambda x: x.sin().cos().tan(), x.requires_grad_())
    one = 1000 * FLOAT
    assert peak(subject, "inference") == 2 * one
    assert peak(subject, "forward") == 3 * one


def test_a_training_step_counts_its_output_and_gradient_and_no_cotangent_of_ours() -> None:
    x = torch.randn(1000)
    assert peak(Subject(torch.exp, x), "backward") == 2 * 1000 * FLOAT


def test_a_backward_of_the_author_s_own_is_measured_with_its_forward() -> None:
    x = torch.randn(1000)
    subject = Subject(torch.sin, x, backward=lambda out: [out.sin(), out.cos()])
    assert peak(subject, "backward") == 3 * 1000 * FLOAT


class Reserving:
    """A device that has every kind of peak, larger at each call."""

    def __init__(self) -> None:
        self.calls = 0

    def peak(self, call: Callable[[], object]) -> Mapping[str, float]:
        call()
        self.calls += 1
        return {name: 10.0 * i + self.calls for i, name in enumerate(("peak", "reserved", "nvml", "rss"))}


def test_exact_peaks_are_told_by_phase_and_rough_ones_once_from_the_first() -> None:
    device: Any = Reserving()
    found = measure(device, Subject(torch.sin, torch.randn(4)), ["forward", "backward"], 0)
    assert found == {
        "memory/parameters": 0,
        "memory/peak/forward": 1,
        "memory/reserved/forward": 11,
        "memory/nvml": 21,
        "memory/rss": 31,
        "memory/peak/backward": 2,
        "memory/reserved/backward": 12,
    }


def test_resident_memory_rises_by_what_a_first_call_touches() -> None:
    size = 48 << 20
    found = Cpu().peak(lambda: torch.ones(size, dtype=torch.uint8))
    assert found["peak"] == size
    if "rss" in found:
        assert 0.9 * size <= found["rss"] <= 1.5 * size
