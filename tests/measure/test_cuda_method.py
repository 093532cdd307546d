"""Every check of the method passes on a GPU that does as METHOD says, and fails on one with the planted defect."""

from __future__ import annotations

import dataclasses
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from scripted_cuda import L2_BYTES, Event, Kernel, ScriptedGpu, ScriptedTorch
from scripted_nvml import NOT_SUPPORTED, ScriptedNvml

from bench.measure import nvml
from bench.measure.cuda import Cuda

sys.path.insert(0, str(Path(__file__).parents[2] / "scripts"))
import gpu_checks
import gpu_method
from gpu_checks import Outcome, Rig

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

    def kernel_seconds(block: Callable[[int], None], calls: int) -> float:
        before = machine.worked
        block(calls)
        return (machine.worked - before) / calls

    def first_calls() -> dict[str, Callable[[int], None]]:
        called: list[int] = []

        def load() -> None:
            machine.now += 0.0 if called else 0.1
            called.append(1)

        return {"scripted": Kernel(machine, hot_seconds=1e-5, cold_seconds=1e-5, also=load)}

    return Rig(
        torch=torch,
        device=Cuda("cuda:0", torch=torch, driver=driver, clock=lambda: machine.now),
        clock=lambda: machine.now,
        wait=wait,
        kernel_seconds=kernel_seconds,
        process_seconds=lambda: 2.0,
        first_calls=first_calls,
    )


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


def a_driver_that_tells_another_clock(rig: Rig, machine: ScriptedGpu, library: ScriptedNvml) -> None:
    library.answers["nvmlDeviceGetClockInfo"] = lambda *_: 1200


def a_cache_larger_than_torch_says(rig: Rig, machine: ScriptedGpu, library: ScriptedNvml) -> None:
    machine.l2_bytes = 3 * L2_BYTES


def an_allocator_that_does_not_count(rig: Rig, machine: ScriptedGpu, library: ScriptedNvml) -> None:
    machine.stats = {}
    machine.counts = False


def first_calls_that_cost_nothing(rig: Rig, machine: ScriptedGpu, library: ScriptedNvml) -> None:
    kernel = Kernel(machine, hot_seconds=1e-5, cold_seconds=1e-5)
    object.__setattr__(rig, "first_calls", lambda: {"scripted": kernel})


def tf32_leaking_into_fp32(rig: Rig, machine: ScriptedGpu, library: ScriptedNvml) -> None:
    rig.torch.flops["float32", "highest"] = rig.torch.flops["float32", "high"]


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
        (a_driver_that_tells_another_clock, gpu_checks.clock, "metronome against"),
        (a_cache_larger_than_torch_says, gpu_checks.cache, "canary"),
        (an_allocator_that_does_not_count, gpu_checks.planted, "memory from the driver"),
        (first_calls_that_cost_nothing, gpu_checks.planted, "first call"),
        (tf32_leaking_into_fp32, gpu_checks.ceilings, "fp32 matmul"),
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


def test_a_flush_that_leaves_dirty_lines_fails_its_check(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    assert failed(gpu_checks.run(rig, [gpu_checks.cache])) == []
    dirty = gpu_checks.Flush.dirty
    monkeypatch.setattr(gpu_checks.Flush, "__call__", dirty)

    def cleaned(self: gpu_checks.Flush) -> None:
        dirty(self)
        rig.torch.sum(self._clean, dim=0, out=self._sum)

    monkeypatch.setattr(gpu_checks.Flush, "dirty", cleaned)
    assert any("write back" in name for name in failed(gpu_checks.run(rig, [gpu_checks.cache])))


def test_refusals_that_let_everything_through_fail_their_check(rig: Rig, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bench.analysis.limits.impossible_traffic", lambda *_: "")
    assert failed(gpu_checks.run(rig, [gpu_checks.ceilings])) == ["planted: rates 1.5 times the roofs"]


def test_what_the_driver_does_not_tell_is_not_measured_and_no_failure(rig: Rig, library: ScriptedNvml) -> None:
    for getter in ("nvmlDeviceGetClockInfo", "nvmlDeviceGetTotalEnergyConsumption", "nvmlDeviceGetFieldValues",
                   "nvmlDeviceGetViolationStatus"):  # fmt: skip
        library.failing[getter] = NOT_SUPPORTED
    outcomes = gpu_checks.run(rig, [gpu_checks.clock, gpu_checks.energy])
    assert {one.verdict for one in outcomes} == {"not measured"}


def test_a_check_that_breaks_fails_and_the_others_go_on(rig: Rig) -> None:
    def broken(_: Rig) -> list[Outcome]:
        """A check that breaks."""
        raise RuntimeError("CUDA error: misaligned address\nand more")

    outcomes = gpu_checks.run(rig, [broken, gpu_checks.process_cost])
    assert [(one.check, one.verdict) for one in outcomes] == [
        ("A check that breaks.", "FAIL"),
        ("a fresh process to its first kernel", "stated"),
    ]
    assert outcomes[0].measured == "RuntimeError: CUDA error: misaligned address"


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


def test_the_spread_is_that_of_headline_times_between_processes_and_between_runs(tmp_path: Path) -> None:
    head = "case,metric,status,process_values\n"
    for name, factor in (("a", 1.0), ("b", 1.1)):
        values = ";".join(str(factor * v) for v in (1.0, 1.0, 1.02, 0.98))
        (tmp_path / name).mkdir()
        (tmp_path / name / "report.csv").write_text(
            head
            + f"conv/x[]/a@cuda,time/forward,ok,{values}\nconv/x[]/a@cuda,time/forward/hot,ok,{values}\n"
            + "conv/x[]/b@cuda,time/forward,oom,\nconv/x[]/c@cuda,time/forward,ok,1.0\n"
        )
    text = gpu_method.spread([tmp_path / "a", tmp_path / "b" / "report.csv"])
    assert text.splitlines()[1].split() == ["conv/x[]/a@cuda", "time/forward", "4", "1.63%", "+9.53%"]
    assert text.splitlines()[-1] == "median sd between processes 1.63%; sd between runs 6.74%"


def test_without_a_gpu_the_script_says_so_and_ends_with_two(capsys: pytest.CaptureFixture[str]) -> None:
    import torch

    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    assert gpu_method.main([]) == 2
    assert "CUDA" in capsys.readouterr().err


@pytest.mark.cuda
def test_on_this_gpu_the_backlog_proves_and_the_planted_cases_are_flagged() -> None:
    rig = gpu_method.real_rig("cuda:0")
    assert failed(gpu_checks.run(rig, [gpu_checks.backlog, gpu_checks.queue])) == []
