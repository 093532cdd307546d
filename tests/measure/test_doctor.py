from __future__ import annotations

import dataclasses
import json
import os
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch as real_torch
from scripted_cuda import ScriptedGpu, ScriptedTorch
from scripted_nvml import NOT_SUPPORTED, ScriptedNvml

from bench.measure import doctor, doctor_gpu, nvml
from bench.measure.finding import Finding, judge
from bench.measure.reading import Reading

HEALTHY: dict[str, Any] = {
    "python": "3.11.7",
    "torch": "2.13.0",
    "numpy": "2.4.6",
    "harness": "0.1.0",
    "cpu_cores": 8,
    "affinity": "0-7",
    "cpu_quota": "none",
    "cpu_governor": "performance",
    "cpu_turbo": False,
    "load_1m": 0.1,
    "stolen_share": 0.0,
    "spread": 0.01,
    "hypervisor": "none",
    "memory_available_bytes": 16 << 30,
    "swap_used_bytes": 0,
    "libc": "glibc 2.36",
    "faults_per_block": 0.0,
    "timer_seconds": 50e-9,
    "can_fork": True,
    "unseen_flags": "",
    "disk_free_bytes": 100 << 30,
}


def found(topic: str, **changed: Any) -> Finding:
    readings = {key: Reading(value=value) for key, value in {**HEALTHY, **changed}.items()}
    keys, verdict = next((keys, verdict) for name, keys, verdict in doctor._HOST if name == topic)
    return judge(topic, keys, verdict, readings)


@pytest.mark.parametrize("topic", [topic for topic, _, _ in doctor._HOST])
def test_a_healthy_machine_needs_no_remedy(topic: str) -> None:
    finding = found(topic)
    assert (finding.level, finding.remedy) == ("ok", "")
    assert finding.fact


@pytest.mark.parametrize(
    ("topic", "changed", "level", "words"),
    [
        ("versions", {"torch": "2.3.1+cpu"}, "problem", "install PyTorch 2.4"),
        ("cores", {"affinity": "5"}, "warning", "two or more"),
        ("cores", {"cpu_cores": 1, "affinity": "0"}, "warning", "two or more"),
        ("cpu quota", {"cpu_quota": 1.5}, "warning", "cpuset"),
        ("governor", {"cpu_governor": "powersave"}, "warning", "cpupower"),
        ("turbo", {"cpu_turbo": True}, "warning", "switch it off"),
        ("load", {"load_1m": 2.5}, "warning", "stop it"),
        ("stolen time", {"stolen_share": 0.02}, "warning", "dedicated"),
        ("steadiness", {"spread": 0.2}, "warning", "many processes"),
        ("memory", {"memory_available_bytes": 1 << 28}, "problem", "free some memory"),
        ("memory", {"swap_used_bytes": 1 << 30}, "warning", "swapoff"),
        ("allocator", {"faults_per_block": 2048.0}, "warning", "page_faults"),
        ("timer", {"timer_seconds": 15e-3}, "problem", "clock source"),
        ("workers", {"can_fork": False, "unseen_flags": "stolen"}, "warning", "Linux"),
        ("workers", {"unseen_flags": "preempted"}, "warning", "Linux"),
        ("disk", {"disk_free_bytes": 500 << 20}, "warning", "--output"),
        ("disk", {"disk_free_bytes": 50 << 20}, "problem", "--output"),
    ],
)
def test_what_is_wrong_is_named_with_what_to_do(topic: str, changed: dict[str, Any], level: str, words: str) -> None:
    finding = found(topic, **changed)
    assert finding.level == level
    assert words in finding.remedy


def test_every_verdict_has_a_test_of_its_bad_side() -> None:
    """A topic that can only be ok would tell nobody anything."""
    marks = test_what_is_wrong_is_named_with_what_to_do.pytestmark  # type: ignore[attr-defined]
    assert {row[0] for row in marks[0].args[1]} == {topic for topic, _, _ in doctor._HOST}


def test_what_cannot_be_told_is_unknown_with_the_reason() -> None:
    missing = Reading(value=None, reason="Windows does not tell")
    keys, verdict = next((k, v) for name, k, v in doctor._HOST if name == "governor")
    assert judge("governor", keys, verdict, {"cpu_governor": missing}) == Finding(
        topic="governor", level="unknown", fact="Windows does not tell"
    )


def test_this_machine_is_diagnosed_and_the_findings_are_json(tmp_path: Path) -> None:
    findings = doctor.diagnose(tmp_path)
    assert {f.topic for f in findings} >= {topic for topic, _, _ in doctor._HOST}
    assert all(f.remedy for f in findings if f.level in ("warning", "problem"))
    assert json.loads(json.dumps([dataclasses.asdict(f) for f in findings]))[0]["topic"] == "versions"


def test_systems_without_counters_name_the_flags_they_cannot_see(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(Path, "exists", lambda _: False)
    monkeypatch.setattr(sys, "platform", "win32")
    assert doctor.unseen_flags() == ["preempted", "page_faults", "stolen"]


@pytest.mark.skipif(sys.platform != "linux", reason="the steady allocator is glibc's")
def test_the_allocator_probe_sees_the_difference_it_is_for(monkeypatch: pytest.MonkeyPatch) -> None:
    steady = doctor.faults_per_block()
    monkeypatch.setattr(doctor, "STEADY", {})
    assert steady < 1 < 10 < doctor.faults_per_block()


# --- GPUs


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> ScriptedNvml:
    scripted = ScriptedNvml()
    scripted.pids = {os.getpid(): 1}
    scripted.answers["nvmlDeviceGetCurrentClocksEventReasons"] = lambda _: 0x1
    monkeypatch.setattr(nvml, "load", lambda: (scripted, ""))
    return scripted


@pytest.fixture
def torch() -> ScriptedTorch:
    return ScriptedTorch(ScriptedGpu())


def on_gpu(torch: ScriptedTorch) -> dict[str, Finding]:
    return {finding.topic: finding for finding in doctor_gpu.diagnose(torch)}


def test_a_healthy_gpu_is_ok_on_every_topic(torch: ScriptedTorch, library: ScriptedNvml) -> None:
    findings = on_gpu(torch)
    assert {finding.level for finding in findings.values()} == {"ok"}
    assert len(findings) == len(doctor_gpu._GPU)
    assert "Scripted GPU, sm_90, 80 GiB" in findings["cuda:0 device"].fact


@pytest.mark.parametrize(
    ("getter", "answer", "topic", "level", "words"),
    [
        ("nvmlDeviceGetPersistenceMode", 0, "persistence", "warning", "-pm 1"),
        ("nvmlDeviceGetComputeMode", 3, "compute mode", "problem", "-c DEFAULT"),
        ("nvmlDeviceGetCurrentClocksEventReasons", 0x4, "clocks", "warning", "power cap"),
        ("nvmlDeviceGetTemperature", 88, "temperature", "warning", "cool"),
        ("nvmlDeviceGetTotalEccErrors", 3, "ecc", "problem", "wrong"),
        ("nvmlDeviceGetMigMode", [1, 1], "mig", "warning", "profile"),
        (
            "nvmlDeviceGetMemoryInfo",
            SimpleNamespace(used=70 << 30, total=80 << 30),
            "memory",
            "warning",
            "free the memory",
        ),
        (
            "nvmlDeviceGetComputeRunningProcesses",
            [SimpleNamespace(pid=pid, usedGpuMemory=1) for pid in (os.getpid(), 999_999_999)],
            "tenants",
            "warning",
            "nvidia-smi",
        ),
    ],
)
def test_what_is_wrong_with_a_gpu_is_named(
    torch: ScriptedTorch, library: ScriptedNvml, getter: str, answer: Any, topic: str, level: str, words: str
) -> None:
    library.answers[getter] = lambda *_, **__: answer
    finding = on_gpu(torch)[f"cuda:0 {topic}"]
    assert finding.level == level
    assert words in finding.fact + finding.remedy
    assert finding.remedy


def test_a_getter_that_fails_leaves_its_topic_unknown_and_the_others_judged(
    torch: ScriptedTorch, library: ScriptedNvml
) -> None:
    library.failing["nvmlDeviceGetPersistenceMode"] = NOT_SUPPORTED
    findings = on_gpu(torch)
    assert findings["cuda:0 persistence"] == Finding(
        topic="cuda:0 persistence", level="unknown", fact="NVML: Not Supported"
    )
    assert [f.level for f in findings.values()].count("unknown") == 1


def test_a_gpu_whose_driver_cannot_be_asked_is_still_diagnosed(
    torch: ScriptedTorch, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(nvml, "load", lambda: (None, "nvidia-ml-py is not installed"))
    findings = on_gpu(torch)
    assert findings["cuda:0 device"].level == "ok"
    assert findings["cuda:0 driver"].level == "warning"
    assert findings["cuda:0 mig"].fact == "nvidia-ml-py is not installed"


def test_a_gpu_that_refuses_a_context_is_a_problem_and_no_traceback(
    torch: ScriptedTorch, library: ScriptedNvml, monkeypatch: pytest.MonkeyPatch
) -> None:
    def busy(_: object) -> None:
        raise RuntimeError("CUDA error: all CUDA-capable devices are busy or unavailable\nCUDA kernel errors might be")

    monkeypatch.setattr(torch.cuda, "set_device", busy)
    (finding,) = doctor_gpu.diagnose(torch)
    assert (finding.topic, finding.level) == ("cuda:0 context", "problem")
    assert finding.fact.endswith("all CUDA-capable devices are busy or unavailable")
    assert "nvidia-smi" in finding.remedy


def test_clocks_that_somebody_locked_are_as_they_should_be(torch: ScriptedTorch, library: ScriptedNvml) -> None:
    library.answers["nvmlDeviceGetCurrentClocksEventReasons"] = lambda _: 0x2
    assert on_gpu(torch)["cuda:0 clocks"].level == "ok"


def test_a_gpu_that_this_torch_was_not_built_for_is_a_problem(torch: ScriptedTorch, library: ScriptedNvml) -> None:
    torch.cuda.architectures = ["sm_100"]
    (finding,) = doctor_gpu.diagnose(torch)
    assert (finding.level, "sm_90" in finding.fact) == ("problem", True)
    assert finding.remedy == "install a build for it (pytorch.org)"


def test_a_cpu_build_beside_a_gpu_is_a_problem_and_without_one_is_fine(
    torch: ScriptedTorch, library: ScriptedNvml, monkeypatch: pytest.MonkeyPatch
) -> None:
    torch.version = SimpleNamespace(cuda=None, hip=None)
    (beside,) = doctor_gpu.diagnose(torch)
    assert (beside.level, beside.remedy) == (
        "problem",
        "install a CUDA build from pytorch.org, or use --device cpu",
    )
    assert beside.fact.startswith("Scripted GPU, but this PyTorch")
    monkeypatch.setattr(nvml, "load", lambda: (None, "NVML: NVML Shared Library Not Found"))
    (without,) = doctor_gpu.diagnose(torch)
    assert (without.level, without.remedy) == ("ok", "")
    assert without.fact == "no GPU is seen (NVML: NVML Shared Library Not Found): measuring on the CPU"


@pytest.mark.cuda
def test_a_real_gpu_is_diagnosed() -> None:
    topics = {finding.topic: finding for finding in doctor_gpu.diagnose(real_torch)}
    assert topics["cuda:0 device"].level == "ok"
