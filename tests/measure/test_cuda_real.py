"""What only a real GPU can answer.  No time is asserted beyond its order; the method's checks do that in one place."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
import torch

from bench.measure import gpu, nvml
from bench.measure.cuda import Cuda
from bench.measure.messages import Describe, Take
from bench.measure.stream import METRONOME_CYCLES
from bench.measure.worker import failure_of
from bench.measure.workers import Processes

pytestmark = pytest.mark.cuda


@pytest.fixture(scope="module")
def cuda() -> Cuda:
    if not torch.cuda.is_available():
        pytest.skip("no CUDA device")
    return Cuda("cuda:0")


def test_a_matmul_gives_all_four_times_and_no_launch_bound_flag(cuda: Cuda) -> None:
    a = torch.randn(2048, 2048, device="cuda:0")

    def block(calls: int) -> None:
        for _ in range(calls):
            torch.mm(a, a)

    cuda.once(block)
    sample = cuda.sample(block, 10)
    assert set(sample.siblings) == {"hot", "enqueue", "wall"}
    assert all(0 < seconds < 1 for seconds in (sample.seconds, *sample.siblings.values()))
    assert "launch_bound" not in sample.flags
    assert "allocated" not in cuda.sample(block, 10).flags


def test_a_forward_and_a_backward_pass_are_timed_on_the_same_stream(cuda: Cuda) -> None:
    x = torch.randn(8, 16, 32, 32, device="cuda:0", requires_grad=True)
    conv = torch.nn.Conv2d(16, 16, 3, device="cuda:0")
    cotangent = torch.randn(8, 16, 30, 30, device="cuda:0")

    def block(calls: int) -> None:
        for _ in range(calls):
            torch.autograd.grad(conv(x), (x, *conv.parameters()), cotangent)

    cuda.once(block)
    assert "launch_bound" not in cuda.sample(block, 5).flags


def test_an_item_inside_the_call_is_launch_bound(cuda: Cuda) -> None:
    x = torch.ones((), device="cuda:0")
    assert "launch_bound" in cuda.sample(lambda n: [(x + 1).item() for _ in range(n)] and None, 2).flags


def test_new_memory_from_the_driver_is_flagged(cuda: Cuda) -> None:
    def grow(calls: int) -> None:
        for _ in range(calls):
            torch.cuda.empty_cache()
            torch.empty(64 << 20, dtype=torch.uint8, device="cuda:0")

    assert "allocated" in cuda.sample(grow, 2).flags


def test_peak_is_exact_to_the_allocator_s_grain(cuda: Cuda) -> None:
    found = cuda.peak(lambda: torch.empty(32 << 20, dtype=torch.uint8, device="cuda:0"))
    assert found["peak"] == 32 << 20
    assert found["reserved"] >= found["peak"]


def test_the_clock_is_one_that_a_gpu_can_have(cuda: Cuda) -> None:
    assert 0.1e9 < METRONOME_CYCLES / cuda.metronomes()["sm_clock"] < 4e9


def test_free_memory_lies_within_the_device_s(cuda: Cuda) -> None:
    assert 0 < cuda.free_bytes() < torch.cuda.get_device_properties(0).total_memory


def test_the_driver_s_gpu_is_the_one_torch_uses(cuda: Cuda) -> None:
    if not cuda.driver.handles:
        pytest.skip(cuda.driver.absent)
    assert cuda.driver.read(lambda n, h: n.nvmlDeviceGetName(h)).value in torch.cuda.get_device_name(0)
    assert all(reading.value is not None or reading.reason for reading in gpu.volatile(cuda.driver).values())
    assert (nvml.used_bytes(cuda.driver) or 0) > 0


def test_ceilings_are_ordered_and_the_precision_is_left_as_it_was(cuda: Cuda) -> None:
    before = torch.get_float32_matmul_precision()
    found = cuda.ceilings()
    assert torch.get_float32_matmul_precision() == before
    assert found["bytes"] > 1e10
    if "flops(bf16)" in found:
        assert found["flops(bf16)"] > found["flops(fp32)"]


def test_out_of_memory_is_that_case_s_status_and_the_device_goes_on(cuda: Cuda) -> None:
    with pytest.raises(torch.cuda.OutOfMemoryError) as error:
        torch.empty(1 << 50, dtype=torch.uint8, device="cuda:0")
    assert failure_of(error.value).status == "oom"
    assert cuda.metronomes()["sm_clock"] > 0


@pytest.fixture
def launcher() -> Iterator[Processes]:
    processes = Processes()
    yield processes
    processes.close()


def test_a_worker_forked_after_torch_was_imported_can_use_the_gpu(launcher: Processes) -> None:
    worker = launcher.launch(environment={})
    assert worker.ask(Take(torch_name="cuda:0")).failure is None
    reply = worker.ask(Describe())
    assert reply.failure is None
    assert reply.environment is not None
    assert reply.environment.facts["gpu"] == torch.cuda.get_device_name(0)
    worker.close()
