from __future__ import annotations

import os
from types import SimpleNamespace

import pytest
from scripted_cuda import L2_BYTES, LAUNCH_SECONDS, Kernel, ScriptedGpu, ScriptedTorch
from scripted_nvml import ScriptedNvml

from bench.errors import BenchError
from bench.measure import gpu, nvml
from bench.measure.cuda import Cuda, Look, is_throttled
from bench.measure.stream import METRONOME_CYCLES
from bench.measure.timing import choose_loops, warm_up


@pytest.fixture
def machine() -> ScriptedGpu:
    return ScriptedGpu()


@pytest.fixture
def library() -> ScriptedNvml:
    return ScriptedNvml()


@pytest.fixture
def cuda(machine: ScriptedGpu, library: ScriptedNvml) -> Cuda:
    driver = nvml.Gpu(library=library, handles=("whole",))
    return Cuda("cuda:0", torch=ScriptedTorch(machine), driver=driver, clock=lambda: machine.now)


@pytest.mark.parametrize("microseconds", [3, 20, 200])
def test_a_sample_tells_cold_hot_enqueue_and_wall_exactly(
    cuda: Cuda, machine: ScriptedGpu, microseconds: float
) -> None:
    hot = microseconds * 1e-6
    sample = cuda.sample(Kernel(machine, hot_seconds=hot, cold_seconds=2 * hot), 20)
    assert sample.flags == ()
    assert sample.seconds == pytest.approx(2 * hot)
    assert sample.siblings["hot"] == pytest.approx(hot)
    assert sample.siblings["enqueue"] == pytest.approx(LAUNCH_SECONDS)
    # Launching overlaps with running, so the slower of the two sets the pace.
    assert sample.siblings["wall"] == pytest.approx(max(hot, LAUNCH_SECONDS), rel=0.1)


def test_a_slow_host_lengthens_enqueue_and_wall_but_not_the_device_time(cuda: Cuda, machine: ScriptedGpu) -> None:
    sample = cuda.sample(Kernel(machine, hot_seconds=3e-6, cold_seconds=3e-6, host_seconds=300e-6), 5)
    assert sample.seconds == pytest.approx(3e-6)
    assert sample.siblings["wall"] > sample.siblings["enqueue"] == pytest.approx(300e-6)
    assert sample.flags == ()


def test_a_call_that_waits_for_the_gpu_is_launch_bound(cuda: Cuda, machine: ScriptedGpu) -> None:
    kernel = Kernel(machine, hot_seconds=3e-6, cold_seconds=3e-6, also=machine.synchronize)
    assert cuda.sample(kernel, 3).flags == ("launch_bound",)


def test_a_python_pause_longer_than_any_hold_is_launch_bound(cuda: Cuda, machine: ScriptedGpu) -> None:
    def pause() -> None:
        machine.now += 1.0

    assert "launch_bound" in cuda.sample(Kernel(machine, hot_seconds=3e-6, cold_seconds=3e-6, also=pause), 1).flags


def test_planted_work_lengthens_the_device_time_by_itself(cuda: Cuda, machine: ScriptedGpu) -> None:
    plain = cuda.sample(Kernel(machine, hot_seconds=20e-6, cold_seconds=20e-6), 5)
    slower = Kernel(machine, hot_seconds=20e-6, cold_seconds=20e-6, also=lambda: cuda.busy(10e-6))
    assert cuda.sample(slower, 5).seconds - plain.seconds == pytest.approx(10e-6, rel=1e-3)  # whole cycles


def test_many_calls_do_not_run_into_a_full_launch_queue(cuda: Cuda, machine: ScriptedGpu) -> None:
    sample = cuda.sample(Kernel(machine, hot_seconds=3e-6, cold_seconds=3e-6), 2000)
    assert sample.flags == ()
    assert sample.siblings["enqueue"] == pytest.approx(LAUNCH_SECONDS)


def test_asking_the_driver_for_memory_is_flagged(cuda: Cuda, machine: ScriptedGpu) -> None:
    grow = Kernel(machine, hot_seconds=3e-6, cold_seconds=3e-6, also=lambda: machine.allocate(1))
    assert cuda.sample(grow, 2).flags == ("allocated",)
    machine.reserved = 1 << 30  # from now on it is cached
    assert cuda.sample(grow, 2).flags == ()


def test_the_flush_buffers_are_not_taken_for_the_subject_s_allocation(cuda: Cuda, machine: ScriptedGpu) -> None:
    assert cuda.sample(Kernel(machine, hot_seconds=3e-6, cold_seconds=3e-6), 2).flags == ()
    assert machine.stats["num_device_alloc"] > 0


def test_a_clock_that_falls_during_a_sample_is_flagged(cuda: Cuda, machine: ScriptedGpu) -> None:
    def slow_down() -> None:
        machine.clock_hz = 1.2e9

    falling = Kernel(machine, hot_seconds=3e-6, cold_seconds=3e-6, also=slow_down)
    assert cuda.sample(falling, 2).flags == ("throttled",)
    assert cuda.sample(falling, 2).flags == ()  # slow, but steady: the metronome's business


def test_the_driver_s_counters_flag_a_sample_too(cuda: Cuda, machine: ScriptedGpu, library: ScriptedNvml) -> None:
    def hold_back() -> None:
        library.counters_ns[74] += 10_000_000

    capped = Kernel(machine, hot_seconds=1e-3, cold_seconds=1e-3, also=hold_back)
    assert cuda.sample(capped, 2).flags == ("throttled",)


@pytest.mark.parametrize(
    ("spin_after", "held_back", "throttled"),
    [(1.0, 0.0, False), (1.09, 0.0, False), (1.2, 0.0, True), (0.8, 0.0, True), (1.0, 0.04, False), (1.0, 0.06, True)],
)
def test_a_tenth_of_the_clock_or_a_twentieth_of_the_time_is_the_limit(
    spin_after: float, held_back: float, throttled: bool
) -> None:
    before = Look(at=0.0, spin_seconds=1.0, throttle_seconds={"power cap": 3.0}, allocations=0)
    after = Look(at=1.0, spin_seconds=spin_after, throttle_seconds={"power cap": 3.0 + held_back}, allocations=0)
    assert is_throttled(before, after) is throttled


def test_another_tenant_at_work_is_flagged_and_asked_for_once_a_second(
    cuda: Cuda, machine: ScriptedGpu, library: ScriptedNvml
) -> None:
    library.pids = {os.getpid(): 1, 999_999_999: 1}
    library.busy = [SimpleNamespace(pid=999_999_999, smUtil=60, timeStamp=10**18)]
    kernel = Kernel(machine, hot_seconds=3e-6, cold_seconds=3e-6)
    assert cuda.sample(kernel, 2).flags == ("contended",)
    asked = len([name for name, _ in library.asked if name == "nvmlDeviceGetProcessUtilization"])
    cuda.sample(kernel, 2)
    library.busy = []
    machine.now += 2
    assert cuda.sample(kernel, 2).flags == ()
    assert len([name for name, _ in library.asked if name == "nvmlDeviceGetProcessUtilization"]) == asked + 1


def test_without_nvml_a_sample_is_the_same(machine: ScriptedGpu) -> None:
    alone = Cuda("cuda:0", torch=ScriptedTorch(machine), driver=nvml.Gpu(absent="no"), clock=lambda: machine.now)
    sample = alone.sample(Kernel(machine, hot_seconds=3e-6, cold_seconds=6e-6), 4)
    assert (sample.seconds, sample.flags) == (pytest.approx(6e-6), ())


def test_the_metronome_is_the_sm_clock(cuda: Cuda, machine: ScriptedGpu) -> None:
    machine.clock_hz = 1.41e9
    assert METRONOME_CYCLES / cuda.metronomes()["sm_clock"] == pytest.approx(1.41e9)


def test_once_is_the_synchronised_wall_time_of_one_call(cuda: Cuda, machine: ScriptedGpu) -> None:
    kernel = Kernel(machine, hot_seconds=1e-3, cold_seconds=1e-3)
    assert cuda.once(kernel) == pytest.approx(1e-3 + LAUNCH_SECONDS)


@pytest.mark.parametrize("microseconds", [3, 200, 20_000])
def test_warming_up_tells_what_a_sample_costs_with_its_holds_and_flushes(
    cuda: Cuda, machine: ScriptedGpu, microseconds: float
) -> None:
    block = Kernel(machine, hot_seconds=microseconds * 1e-6, cold_seconds=microseconds * 1e-6)
    warm = warm_up(cuda, block)
    loops, before = choose_loops([warm.seconds]), machine.now
    cuda.sample(block, loops)
    cost = machine.now - before
    assert (warm.seconds + warm.around) * loops == pytest.approx(cost, rel=0.3)
    assert cost > 2.5 * warm.seconds * loops  # cold, hot and by the wall
    assert cuda.sample(block, 1).flags == ()


def test_peak_is_the_second_call_s_and_reserved_the_first_s(cuda: Cuda, machine: ScriptedGpu) -> None:
    calls: list[int] = []

    def call() -> object:
        size = 100 if calls else 5000  # a search tries a big workspace
        machine.allocate(size)
        machine.free(size)
        calls.append(size)
        return None

    machine.reserved = 7000  # cached by what ran before
    assert dict(cuda.peak(call)) == {"peak": 100.0, "reserved": 5000.0, "nvml": 0.0}
    assert len(calls) == 2


def test_peak_leaves_out_what_the_driver_cannot_tell(machine: ScriptedGpu) -> None:
    alone = Cuda("cuda:0", torch=ScriptedTorch(machine), driver=nvml.Gpu(absent="no"), clock=lambda: machine.now)
    assert set(alone.peak(lambda: None)) == {"peak", "reserved"}


def test_free_memory_counts_what_torch_has_cached_and_spares_a_tenth(cuda: Cuda, machine: ScriptedGpu) -> None:
    machine.allocate(10 << 30)
    machine.free(4 << 30)
    assert cuda.free_bytes() == pytest.approx(0.9 * (74 << 30), rel=1e-6)


def test_ceilings_name_each_precision_and_leave_the_setting_as_it_was(machine: ScriptedGpu) -> None:
    torch = ScriptedTorch(machine)
    device = Cuda("cuda:0", torch=torch, driver=nvml.Gpu(absent="no"), clock=lambda: machine.now)
    torch.precision = "medium"
    found = device.ceilings()
    assert torch.precision == "medium"
    assert {name: value / 1e12 for name, value in found.items()} == pytest.approx(
        {"bytes": 4.0, "flops(fp32)": 60, "flops(tf32)": 400, "flops(bf16)": 800, "flops": 400}, rel=0.05
    )
    torch.backends.cudnn.allow_tf32 = False
    assert device.ceilings()["flops"] == pytest.approx(60e12)


def test_a_gpu_without_tensor_cores_for_it_has_no_such_roof(machine: ScriptedGpu) -> None:
    torch = ScriptedTorch(machine, major=7, minor=5)
    torch.cuda.architectures = ["sm_75"]
    device = Cuda("cuda:0", torch=torch, driver=nvml.Gpu(absent="no"), clock=lambda: machine.now)
    assert set(device.ceilings()) == {"bytes", "flops(fp32)", "flops"}


def test_facts_are_those_that_define_the_gpu(machine: ScriptedGpu, cuda: Cuda) -> None:
    facts = {key: reading.value for key, reading in gpu.facts(ScriptedTorch(machine), "cuda:0", cuda.driver).items()}
    assert (facts["gpu"], facts["gpu_sms"], facts["gpu_l2_bytes"]) == ("Scripted GPU", 132, L2_BYTES)
    assert facts["gpu_power_limit_watts"] == 700


@pytest.mark.parametrize(
    ("built", "capability", "runs"),
    [
        (["sm_80", "sm_90"], (9, 0), True),
        (["sm_80"], (8, 6), True),  # machine code of the same major runs on a later minor
        (["sm_86"], (8, 0), False),
        (["sm_80"], (9, 0), False),
        (["sm_80", "compute_80"], (9, 0), True),  # PTX is compiled for what comes later
        (["sm_90a"], (9, 0), True),
        (["sm_90a"], (10, 0), False),
        (["sm_100f"], (10, 3), True),
        (["sm_100f"], (12, 0), False),
        (["sm_120"], (12, 1), True),
        (["sm_75", "sm_80"], (3, 7), False),
        (["gfx90a"], (9, 0), False),
    ],
)
def test_built_code_runs_where_cuda_s_compatibility_says(
    built: list[str], capability: tuple[int, int], runs: bool
) -> None:
    assert gpu.runs_on(built, capability) is runs


def test_a_gpu_this_torch_is_not_built_for_is_refused_before_measuring(machine: ScriptedGpu) -> None:
    torch = ScriptedTorch(machine, name="Tesla K80", major=3, minor=7)
    with pytest.raises(
        BenchError, match=r"cuda:0 \(Tesla K80\) is sm_37, but this PyTorch .* is built for sm_80"
    ) as no:
        Cuda("cuda:0", torch=torch, driver=nvml.Gpu(absent="no"))
    assert machine.launches == 0
    assert len(str(no.value).splitlines()) == 1


def test_a_cpu_build_a_hidden_gpu_and_a_missing_index_are_told_apart(machine: ScriptedGpu) -> None:
    torch = ScriptedTorch(machine)
    assert gpu.unusable(torch, "cuda:0") == ""
    assert "there is no cuda:3: this machine shows 1 CUDA device, from cuda:0" in gpu.unusable(torch, "cuda:3")
    torch.cuda.available = False
    assert "PyTorch finds no usable CUDA device" in gpu.unusable(torch, "cuda:0")
    torch.version = SimpleNamespace(cuda=None, hip=None)
    assert "is built without CUDA" in gpu.unusable(torch, "cuda:0")


def test_the_gpu_of_an_old_torch_without_uuids_has_no_driver_facts_and_says_why(
    machine: ScriptedGpu, library: ScriptedNvml, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nvml, "load", lambda: (library, ""))
    torch = ScriptedTorch(machine)
    assert gpu.find(torch, "cuda:0").handles == ("whole",)
    del torch.cuda.properties.uuid
    assert "does not tell the GPU's UUID" in gpu.find(torch, "cuda:0").absent
    facts = gpu.facts(torch, "cuda:0", gpu.find(torch, "cuda:0"))
    assert facts["gpu"].value == "Scripted GPU"
    assert facts["gpu_uuid"].value is None
    assert facts["gpu_uuid"].reason
