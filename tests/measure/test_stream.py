from __future__ import annotations

from types import SimpleNamespace

import pytest
import torch as this_torch
from scripted_cuda import BYTES_PER_SECOND, L2_BYTES, LAUNCH_SECONDS, Kernel, ScriptedGpu, ScriptedTorch

from bench.measure.stream import GROWTHS, LONGEST_HOLD_SECONDS, Flush, Stream


@pytest.fixture
def machine() -> ScriptedGpu:
    return ScriptedGpu()


@pytest.fixture
def torch(machine: ScriptedGpu) -> ScriptedTorch:
    return ScriptedTorch(machine)


@pytest.fixture
def stream(machine: ScriptedGpu, torch: ScriptedTorch) -> Stream:
    return Stream(torch.cuda, lambda: machine.now)


def test_without_a_hold_the_time_between_events_is_python_s_and_the_proof_fails(
    machine: ScriptedGpu, torch: ScriptedTorch, stream: Stream
) -> None:
    kernel = Kernel(machine, hot_seconds=3e-6, cold_seconds=3e-6)
    span = stream.span(lambda: kernel(10))
    torch.cuda.synchronize()
    assert not span.held
    assert span.seconds > 10 * LAUNCH_SECONDS > 10 * 3e-6


def test_behind_a_hold_the_time_between_events_is_the_kernels_own(
    machine: ScriptedGpu, torch: ScriptedTorch, stream: Stream
) -> None:
    kernel = Kernel(machine, hot_seconds=3e-6, cold_seconds=3e-6)
    spans, proven = stream.held(lambda hold: [stream.held_span(lambda: kernel(10), hold)], 10 * LAUNCH_SECONDS)
    assert proven
    assert spans[0].seconds == pytest.approx(30e-6)
    assert spans[0].enqueue_seconds == pytest.approx(10 * LAUNCH_SECONDS)


def test_the_hold_grows_until_the_proof_holds(machine: ScriptedGpu, stream: Stream) -> None:
    kernel = Kernel(machine, hot_seconds=3e-6, cold_seconds=3e-6, host_seconds=400e-6)
    asked: list[float] = []

    def spans(hold: float) -> list[object]:
        asked.append(hold)
        return [stream.held_span(lambda: kernel(1), hold)]

    _, proven = stream.held(spans, 10e-6)  # the host is forty times slower than was thought
    assert proven
    assert [hold / asked[0] for hold in asked] == pytest.approx(GROWTHS[: len(asked)])
    assert len(asked) > 1


def test_calls_that_wait_for_the_gpu_are_never_proven_and_never_hang(
    machine: ScriptedGpu, torch: ScriptedTorch, stream: Stream
) -> None:
    kernel = Kernel(machine, hot_seconds=3e-6, cold_seconds=3e-6, also=torch.cuda.synchronize)
    _, proven = stream.held(lambda hold: [stream.held_span(lambda: kernel(1), hold)], 1e-3)
    assert not proven
    assert machine.now < 1


def test_no_hold_is_longer_than_its_bound(machine: ScriptedGpu, stream: Stream) -> None:
    stream.spin_seconds()
    before = machine.idle_at
    stream.hold(3600)
    assert machine.idle_at - before == pytest.approx(LONGEST_HOLD_SECONDS, rel=1e-3)


def test_a_spin_tells_the_clock_and_the_next_hold_follows_it(machine: ScriptedGpu, stream: Stream) -> None:
    assert stream.spin_seconds(2_000_000) == pytest.approx(1e-3)
    machine.clock_hz = 0.5e9
    assert stream.spin_seconds(2_000_000) == pytest.approx(4e-3)
    machine.synchronize()
    before = machine.now
    stream.hold(2e-3)
    assert machine.idle_at - before == pytest.approx(2e-3 + LAUNCH_SECONDS)


def test_a_slow_launch_does_not_lengthen_a_spin(machine: ScriptedGpu, stream: Stream) -> None:
    machine.launch_seconds = 60e-6
    assert stream.spin_seconds(200_000) == pytest.approx(100e-6)


def test_enqueue_seconds_are_the_host_s_alone(machine: ScriptedGpu, stream: Stream) -> None:
    kernel = Kernel(machine, hot_seconds=1e-3, cold_seconds=1e-3)
    assert stream.enqueue_seconds(lambda: kernel(3)) == pytest.approx(3 * LAUNCH_SECONDS)


def test_after_a_flush_a_subject_is_cold_and_pays_for_no_write_of_ours(
    machine: ScriptedGpu, torch: ScriptedTorch
) -> None:
    flush = Flush(torch, "cuda:0")
    kernel = Kernel(machine, hot_seconds=10e-6, cold_seconds=25e-6)
    assert _device_seconds(machine, kernel) == pytest.approx(25e-6)
    assert _device_seconds(machine, kernel) == pytest.approx(10e-6)
    flush()
    assert _device_seconds(machine, kernel) == pytest.approx(25e-6)


def test_what_a_first_flush_needs_is_allocated_when_it_is_made(machine: ScriptedGpu, torch: ScriptedTorch) -> None:
    flush = Flush(torch, "cuda:0")
    asked = machine.stats["num_device_alloc"]
    assert asked > 0
    flush()
    assert machine.stats["num_device_alloc"] == asked


def test_this_torch_sums_a_flush_s_buffer_without_copying_it() -> None:
    properties = SimpleNamespace(L2_cache_size=1 << 16)
    cpu = SimpleNamespace(
        zeros=this_torch.zeros,
        sum=this_torch.sum,
        int64=this_torch.int64,
        cuda=SimpleNamespace(get_device_properties=lambda _: properties),
    )
    flush = Flush(cpu, "cpu")
    with this_torch.profiler.profile(activities=[this_torch.profiler.ProfilerActivity.CPU]) as profile:
        flush()
    operators = {event.key for event in profile.key_averages()}
    assert {"aten::fill_", "aten::sum"} <= operators
    assert "aten::_to_copy" not in operators


def test_after_reads_alone_nothing_waits_to_be_written_back(machine: ScriptedGpu, torch: ScriptedTorch) -> None:
    flush = Flush(torch, "cuda:0")
    kernel = Kernel(machine, hot_seconds=10e-6, cold_seconds=25e-6)
    flush.clean()
    assert _device_seconds(machine, kernel) == pytest.approx(25e-6)


def test_with_writes_alone_the_subject_would_pay_for_writing_back(machine: ScriptedGpu, torch: ScriptedTorch) -> None:
    flush = Flush(torch, "cuda:0")
    kernel = Kernel(machine, hot_seconds=10e-6, cold_seconds=25e-6)
    flush.dirty()
    assert _device_seconds(machine, kernel) == pytest.approx(25e-6 + L2_BYTES / BYTES_PER_SECOND)


def test_a_flush_covers_twice_the_l2_and_the_largest_known_one_where_torch_does_not_tell(
    machine: ScriptedGpu,
) -> None:
    torch = ScriptedTorch(machine)
    assert Flush(torch, "cuda:0").l2_bytes == L2_BYTES
    del torch.cuda.properties.L2_cache_size
    assert Flush(torch, "cuda:0").l2_bytes == Flush.UNKNOWN_L2_BYTES


def _device_seconds(machine: ScriptedGpu, kernel: Kernel) -> float:
    machine.synchronize()
    machine.now += 1.0
    before = machine.now
    kernel(1)
    return machine.idle_at - before - LAUNCH_SECONDS
