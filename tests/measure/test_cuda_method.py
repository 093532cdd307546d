"""Every check of the method passes on a GPU that does as docs/gpu.md says, and fails on one with the planted defect."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pytest
from scripted_cuda import L2_BYTES, Buffer, Event, Kernel, ScriptedGpu, ScriptedTorch
from scripted_nvml import NOT_SUPPORTED, ScriptedNvml

from bench.measure import nvml
from bench.measure.cuda import Cuda
from bench.measure.stream import Flush

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
import gpu_cache_checks
import gpu_checks
import gpu_method
from gpu_rig import Outcome, Rig

WATTS = 650.0


@pytest.fixture
def machine() -> ScriptedGpu:
    return ScriptedGpu(gap_seconds=1e-6)


@pytest.fixture
def library(machine: ScriptedGpu) -> ScriptedNvml:
    scripted = ScriptedNvml()
    scripted.answers["nvmlDeviceGetClockInfo"] = lambda *_: machine.clock_hz / 1e6
    scripted.answers["nvmlDeviceGetPowerUsage"] = lambda _: WATTS * 1e3
    scripted.answers["nvmlDeviceGetTotalEnergyConsumption"] = lambda _: machine.now * WATTS * 1e3
    return scripted


@pytest.fixture
def rig(machine: ScriptedGpu, library: ScriptedNvml) -> Rig:
    torch = ScriptedTorch(machine, name="NVIDIA H100 80GB HBM3")
    machine.bytes_per_second = 3e12
    driver = nvml.Gpu(library=library, handles=("whole",))

    def wait(seconds: float) -> None:
        machine.now += seconds

    device = Cuda("cuda:0", torch=torch, driver=driver, clock=lambda: machine.now)
    return dataclasses.replace(
        gpu_method.rig_of(torch, device),
        clock=lambda: machine.now,
        wait=wait,
        process_seconds=lambda: [{"device": 0.5, "matmul": 0.5, "convolution": 1.0}],
        first_calls=lambda: {name: first_call(machine, 0.1) for name in FIRSTS},
    )


FIRSTS = ("library", "search", "lazy loading")


def first_call(machine: ScriptedGpu, extra_seconds: float) -> Kernel:
    """A kernel whose first call takes the host so much longer."""
    extra = iter([extra_seconds])

    def load() -> None:
        machine.now += next(extra, 0.0)

    return Kernel(machine, hot_seconds=1e-5, cold_seconds=1e-5, also=load)


def failed(outcomes: list[Outcome]) -> list[str]:
    return [one.check for one in outcomes if one.verdict == "FAIL"]


def test_on_a_gpu_that_does_as_the_method_says_every_check_passes(rig: Rig) -> None:
    outcomes = gpu_checks.run(rig)
    assert [one for one in outcomes if one.verdict not in ("pass", "stated")] == []
    assert len(outcomes) > 20


def no_holds(rig: Rig, machine: ScriptedGpu, library: ScriptedNvml) -> None:
    rig.device.stream.hold = lambda _: None  # type: ignore[method-assign]
    machine.launch_seconds = 8e-6


def a_proof_that_always_holds(rig: Rig, machine: ScriptedGpu, library: ScriptedNvml) -> None:
    rig.torch.cuda.Event = lambda enable_timing: _Late(machine)


class _Late(Event):
    def query(self) -> bool:
        return False


def a_short_queue(rig: Rig, machine: ScriptedGpu, library: ScriptedNvml) -> None:
    machine.queue_length = 100


def events_that_run_fast(rig: Rig, machine: ScriptedGpu, library: ScriptedNvml) -> None:
    rig.torch.cuda.Event = lambda enable_timing: _Fast(machine)


class _Fast(Event):
    def elapsed_time(self, other: Event) -> float:
        return 0.9 * super().elapsed_time(other)


def a_gap_between_kernels(rig: Rig, machine: ScriptedGpu, library: ScriptedNvml) -> None:
    machine.gap_seconds = 10e-6


def a_driver_that_tells_another_clock(rig: Rig, machine: ScriptedGpu, library: ScriptedNvml) -> None:
    library.answers["nvmlDeviceGetClockInfo"] = lambda *_: 1200


def a_clock_that_the_driver_does_not_see_fall(rig: Rig, machine: ScriptedGpu, library: ScriptedNvml) -> None:
    cap_under_matmuls(rig, machine)
    library.answers["nvmlDeviceGetClockInfo"] = lambda *_: 2000


def cap_under_matmuls(rig: Rig, machine: ScriptedGpu, capped: Callable[[], object] = lambda: None) -> None:
    """The clock falls while matmuls run, and comes back where the stream is waited for."""
    mm, synchronize = rig.torch.mm, rig.torch.cuda.synchronize

    def hungry(a: Buffer, b: Buffer) -> None:
        machine.clock_hz = 1.4e9
        capped()
        mm(a, b)

    def wait() -> None:
        synchronize()
        machine.clock_hz = 2e9

    rig.torch.mm, rig.torch.cuda.synchronize = hungry, wait


def counters_that_run_at_rest(rig: Rig, machine: ScriptedGpu, library: ScriptedNvml) -> None:
    fields = library.answers["nvmlDeviceGetFieldValues"]

    def count(*arguments: Any) -> Any:
        library.counters_ns[75] = int(machine.now * 0.1e9)
        return fields(*arguments)

    library.answers["nvmlDeviceGetFieldValues"] = count


def a_cache_larger_than_torch_says(rig: Rig, machine: ScriptedGpu, library: ScriptedNvml) -> None:
    machine.l2_bytes = 3 * L2_BYTES


def no_cache_at_all(rig: Rig, machine: ScriptedGpu, library: ScriptedNvml) -> None:
    machine.touch = lambda name, size, dirty: size / machine.bytes_per_second  # type: ignore[method-assign]


def reads_slower_than_copies(rig: Rig, machine: ScriptedGpu, library: ScriptedNvml) -> None:
    touch = machine.touch
    machine.touch = lambda name, size, dirty: touch(name, size, dirty=dirty) * (1 if dirty else 2)  # type: ignore[method-assign]


def an_allocator_that_does_not_count(rig: Rig, machine: ScriptedGpu, library: ScriptedNvml) -> None:
    machine.stats = {}
    machine.counts = False


def a_first_call_that_costs_nothing(which: str) -> Callable[[Rig, ScriptedGpu, ScriptedNvml], None]:
    def plant(rig: Rig, machine: ScriptedGpu, library: ScriptedNvml) -> None:
        calls = {name: first_call(machine, 0.0 if name == which else 0.1) for name in FIRSTS}
        object.__setattr__(rig, "first_calls", lambda: calls)

    return plant


def tf32_leaking_into_fp32(rig: Rig, machine: ScriptedGpu, library: ScriptedNvml) -> None:
    rig.torch.flops["float32", "highest"] = rig.torch.flops["float32", "high"]


def tf32_without_its_cores(rig: Rig, machine: ScriptedGpu, library: ScriptedNvml) -> None:
    rig.torch.flops["float32", "high"] = rig.torch.flops["float32", "highest"]


def bf16_at_the_rate_with_sparsity(rig: Rig, machine: ScriptedGpu, library: ScriptedNvml) -> None:
    rig.torch.flops["bfloat16", "highest"] *= 2


def memory_at_half_its_rate(rig: Rig, machine: ScriptedGpu, library: ScriptedNvml) -> None:
    machine.bytes_per_second /= 2


def workers_that_load_everything_anew(rig: Rig, machine: ScriptedGpu, library: ScriptedNvml) -> None:
    object.__setattr__(rig, "process_seconds", lambda: [{"device": 3.0, "matmul": 9.0}])


def a_counter_of_energy_that_lags(rig: Rig, machine: ScriptedGpu, library: ScriptedNvml) -> None:
    library.answers["nvmlDeviceGetTotalEnergyConsumption"] = lambda _: machine.now * WATTS * 0.5e3


@pytest.mark.parametrize(
    ("defect", "check", "words"),
    [
        (no_holds, gpu_checks.backlog, "proven samples"),
        (no_holds, gpu_checks.backlog, "device time per call"),
        (a_proof_that_always_holds, gpu_checks.backlog, "planted: a pause"),
        (a_proof_that_always_holds, gpu_checks.backlog, "planted: a wait"),
        (a_short_queue, gpu_checks.queue, "launches before"),
        (events_that_run_fast, gpu_checks.profiler, "events against CUPTI, bf16 matmul of 4096"),
        (a_gap_between_kernels, gpu_checks.profiler, "time between back-to-back kernels"),
        (a_gap_between_kernels, gpu_checks.backlog, "device time per call"),
        (a_driver_that_tells_another_clock, gpu_checks.clock, "metronome against"),
        (a_clock_that_the_driver_does_not_see_fall, gpu_checks.clock, "the same between bf16 matmuls"),
        (counters_that_run_at_rest, gpu_checks.held_back, "without a load"),
        (a_cache_larger_than_torch_says, gpu_checks.cache, "canary"),
        (no_cache_at_all, gpu_checks.cache, "a quarter of it read hot"),
        (reads_slower_than_copies, gpu_checks.cache, "three quarters of it more"),
        (an_allocator_that_does_not_count, gpu_checks.planted, "memory from the driver"),
        *((a_first_call_that_costs_nothing(one), gpu_checks.planted, f"first call: {one}") for one in FIRSTS),
        (tf32_leaking_into_fp32, gpu_checks.ceilings, "fp32 matmul"),
        (tf32_without_its_cores, gpu_checks.ceilings, "tf32 matmul"),
        (bf16_at_the_rate_with_sparsity, gpu_checks.ceilings, "bf16 matmul"),
        (memory_at_half_its_rate, gpu_checks.ceilings, "copy"),
        (workers_that_load_everything_anew, gpu_checks.process_cost, "a forked worker"),
        (a_counter_of_energy_that_lags, gpu_checks.energy, "energy"),
    ],
)
def test_a_planted_defect_fails_its_check(
    rig: Rig,
    machine: ScriptedGpu,
    library: ScriptedNvml,
    defect: Callable[[Rig, ScriptedGpu, ScriptedNvml], None],
    check: Callable[[Rig], list[Outcome]],
    words: str,
) -> None:
    defect(rig, machine, library)
    assert any(words in name for name in failed(gpu_checks.run(rig, [check])))


def test_one_first_call_of_three_that_costs_nothing_fails_alone(rig: Rig, machine: ScriptedGpu) -> None:
    a_first_call_that_costs_nothing("search")(rig, machine, ScriptedNvml())
    assert failed(gpu_checks.run(rig, [gpu_checks.planted])) == ["first call: search"]


def test_a_flush_that_forgets_its_reads_fails_its_check(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    assert failed(gpu_checks.run(rig, [gpu_cache_checks.cache])) == []
    monkeypatch.setattr(Flush, "__call__", Flush.dirty)
    assert "L2: the flush leaves nothing to write back" in failed(gpu_checks.run(rig, [gpu_cache_checks.cache]))


def test_where_writes_alone_cost_nothing_either_a_clean_flush_is_not_measured(
    rig: Rig, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Flush, "dirty", Flush.clean)
    verdicts = {one.check: one.verdict for one in gpu_checks.run(rig, [gpu_cache_checks.cache])}
    assert verdicts["L2: the flush leaves nothing to write back"] == "not measured"


def test_a_clock_that_falls_under_load_is_seen_by_both_and_told(rig: Rig, machine: ScriptedGpu) -> None:
    cap_under_matmuls(rig, machine)
    at_rest, loaded = gpu_checks.run(rig, [gpu_checks.clock])
    assert (at_rest.verdict, loaded.verdict) == ("pass", "pass")
    assert at_rest.measured.endswith("2000 MHz")
    assert loaded.measured.endswith("1400 MHz")


def test_samples_under_a_cap_are_counted_with_the_counter_that_rose(
    rig: Rig, machine: ScriptedGpu, library: ScriptedNvml
) -> None:
    def capped() -> None:
        library.counters_ns[74] += 500_000

    cap_under_matmuls(rig, machine, capped)
    at_rest, loaded = gpu_checks.run(rig, [gpu_checks.held_back])
    assert (at_rest.verdict, at_rest.measured.split(";")[0]) == ("pass", "0%")
    assert at_rest.measured.endswith("held back: none")
    assert (loaded.verdict, loaded.measured.split(";")[0]) == ("stated", "100%")
    assert "held back: power cap 0." in loaded.measured


def test_an_idle_gpu_is_woken_before_anything_is_timed(rig: Rig, machine: ScriptedGpu) -> None:
    machine.clock_hz, sleep = 345e6, rig.torch.cuda._sleep

    def ramping(cycles: int) -> None:
        machine.clock_hz = 345e6 if machine.now < 0.05 else 1.98e9
        sleep(cycles)

    rig.torch.cuda._sleep = ramping
    assert failed(gpu_checks.run(rig, [gpu_checks.backlog])) == []


def test_without_kernels_in_the_profile_cupti_is_not_measured(rig: Rig) -> None:
    rig.torch.autograd.DeviceType.CUDA = "another"
    assert [one.verdict for one in gpu_checks.run(rig, [gpu_checks.profiler])] == ["not measured"]


def test_the_profiler_comes_last() -> None:
    assert gpu_checks.CHECKS[-1] is gpu_checks.profiler


def test_the_profiler_s_events_have_what_the_check_asks_of_them() -> None:
    import torch

    with torch.profiler.profile(activities=[torch.profiler.ProfilerActivity.CPU]) as profile:
        torch.ones(3).sum()
    events = profile.profiler.kineto_results.events()
    seconds = gpu_method.kernel_seconds(events, torch.autograd.DeviceType.CPU)
    assert len(seconds) > 2
    assert all(0 <= one < 60 for one in seconds)
    assert gpu_method.kernel_seconds(events, torch.autograd.DeviceType.CUDA) == []


def test_first_calls_are_calls_that_this_torch_can_make() -> None:
    import torch

    calls = gpu_method.first_calls(torch, "cpu")
    assert [name.split()[1] for name in calls] == ["library", "search", "loading"]
    for block in calls.values():
        block(1)


def test_what_a_worker_costs_is_told_by_its_parts() -> None:
    parts = gpu_method.process_seconds("cpu")
    named = ["device", "tensors of the matmul", "matmul", "tensors of the convolution", "convolution"]
    assert [list(one) for one in parts] == [named] * 3
    assert all(0 < seconds < 60 for one in parts for seconds in one.values())


def test_refusals_that_let_everything_through_fail_their_check(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.analysis.limits.impossible_traffic", lambda *_: "")
    assert failed(gpu_checks.run(rig, [gpu_checks.ceilings])) == ["planted: rates 1.5 times the roofs"]


def test_what_the_driver_does_not_tell_is_not_measured_and_no_failure(rig: Rig, library: ScriptedNvml) -> None:
    for getter in ("nvmlDeviceGetClockInfo", "nvmlDeviceGetTotalEnergyConsumption", "nvmlDeviceGetFieldValues",
                   "nvmlDeviceGetViolationStatus"):  # fmt: skip
        library.failing[getter] = NOT_SUPPORTED
    outcomes = gpu_checks.run(rig, [gpu_checks.clock, gpu_checks.energy])
    assert {one.verdict for one in outcomes} == {"not measured"}
    at_rest, _ = gpu_checks.run(rig, [gpu_checks.held_back])
    assert (at_rest.verdict, at_rest.measured) == ("pass", "0%; the driver has no counters")


def test_a_check_that_breaks_fails_and_the_others_go_on(rig: Rig) -> None:
    def broken(_: Rig) -> list[Outcome]:
        """A check that breaks."""
        raise RuntimeError("CUDA error: misaligned address\nand more")

    outcomes = gpu_checks.run(rig, [broken, gpu_checks.process_cost])
    assert [(one.check, one.verdict) for one in outcomes] == [
        ("A check that breaks.", "FAIL"),
        ("a forked worker until its libraries are loaded", "pass"),
    ]
    assert outcomes[0].measured == "RuntimeError: CUDA error: misaligned address"


def test_checks_that_are_ended_keep_what_is_known(rig: Rig) -> None:
    def endless(_: Rig) -> list[Outcome]:
        """A check without end."""
        raise KeyboardInterrupt

    outcomes = gpu_checks.run(rig, [gpu_checks.queue, endless, gpu_checks.energy])
    assert [(one.check, one.measured) for one in outcomes] == [
        ("launches before the host waits", "1023"),
        ("A check without end.", "KeyboardInterrupt"),
    ]


def test_the_table_and_the_json_tell_the_same_and_a_failure_is_status_one(
    rig: Rig, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    outcomes = gpu_checks.run(rig, [gpu_checks.queue])
    assert gpu_method.report(outcomes, tmp_path / "checks.json") == 0
    text = capsys.readouterr().out
    assert json.loads((tmp_path / "checks.json").read_text()) == [dataclasses.asdict(one) for one in outcomes]
    assert "pass         launches before the host waits\n" in text
    assert text.endswith("1 pass, 0 FAIL, 0 stated, 0 not measured\n")
    assert gpu_method.report([dataclasses.replace(outcomes[0], verdict="FAIL")], None) == 1


def a_report(folder: Path, rows: dict[str, Sequence[float]], status: str = "ok") -> Path:
    folder.mkdir()
    lines = [f"{case},time/forward,{status},{';'.join(map(str, values))}\n" for case, values in rows.items()]
    lines += ["conv/x[]/a@cuda,time/forward/hot,ok,5;6\n", "conv/x[]/lost@cuda,time/forward,oom,\n"]
    (folder / "report.csv").write_text("case,metric,status,process_values\n" + "".join(lines))
    return folder


def test_the_spread_between_runs_is_without_the_noise_of_their_processes(tmp_path: Path) -> None:
    values = (1.0, 1.0, 1.02, 0.98)
    first = a_report(tmp_path / "a", {"conv/x[]/a@cuda": values, "conv/x[]/single@cuda": [1.0], "gone@cuda": [1, 1]})
    second = a_report(tmp_path / "b", {"conv/x[]/a@cuda": [1.1 * v for v in values], "conv/x[]/single@cuda": [1.0]})
    lines = gpu_method.spread([first, second / "report.csv"]).splitlines()
    assert lines[1].split() == ["conv/x[]/a@cuda", "time/forward", "4", "1.63%", "+9.53%"]
    # sqrt((9.53 %)^2 / 2 - (1.63 %)^2 / 4): of each change, the variance of two means over four processes goes.
    assert lines[-1] == (
        "median sd between processes 1.63%; sd between runs, of two runs, 6.69%; "
        "left out 3 of 4: failed, in one report only, or of a single process"
    )


def test_a_change_that_the_processes_explain_is_no_spread_between_runs(tmp_path: Path) -> None:
    reports = [a_report(tmp_path / name, {"a@cuda": values}) for name, values in {"a": [1, 2], "b": [1.1, 2]}.items()]
    assert "of two runs, 0.00%" in gpu_method.spread(reports)


def test_reports_without_two_processes_of_a_case_have_no_spread(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    reports = [str(a_report(tmp_path / name, {"a@cuda": [1.0]})) for name in "ab"]
    assert gpu_method.main(["--spread", *reports]) == 2
    said = capsys.readouterr().err
    assert "no case with two processes each in common; left out 2 of 2: failed" in said


def test_a_report_that_is_not_there_is_named(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert gpu_method.main(["--spread", str(tmp_path / "a"), str(tmp_path / "b")]) == 2
    assert str(tmp_path / "a") in capsys.readouterr().err


def test_without_a_gpu_the_script_says_so_and_ends_with_two(capsys: pytest.CaptureFixture[str]) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    assert gpu_method.main([]) == 2
    assert "CUDA" in capsys.readouterr().err


@pytest.mark.cuda
def test_on_this_gpu_the_backlog_proves_and_the_planted_cases_are_flagged() -> None:
    import torch

    rig = gpu_method.rig_of(torch, Cuda("cuda:0"))
    assert failed(gpu_checks.run(rig, [gpu_checks.backlog, gpu_checks.queue])) == []
