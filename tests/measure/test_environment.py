from __future__ import annotations

import dataclasses
import json
import os

import pytest
import torch
from scripted_cuda import ScriptedGpu, ScriptedTorch
from scripted_nvml import ScriptedNvml

from bench.measure import environment, gpu, host, nvml

# The columns of report.csv that describe the environment.
COLUMNS = {"torch", "cuda", "cudnn", "driver", "gpu", "gpu_uuid", "cpu", "host", "python"}


class OnAGpu(ScriptedTorch):
    """The real torch's software facts, and a scripted GPU."""

    def __getattr__(self, name: str) -> object:
        return getattr(torch, name)


@pytest.fixture
def driver() -> nvml.Gpu:
    return nvml.Gpu(library=ScriptedNvml(), handles=("whole",))


def test_the_columns_of_a_report_are_told_on_every_device(driver: nvml.Gpu) -> None:
    on_cpu = environment.collect("cpu")
    on_gpu = environment.collect("cuda:0", torch=OnAGpu(ScriptedGpu()), driver=driver)
    assert on_cpu.facts.keys() >= COLUMNS
    assert on_gpu.facts.keys() >= COLUMNS
    assert on_cpu.reasons["gpu"] == "measured on the CPU"
    assert (on_gpu.facts["driver"], on_gpu.facts["gpu_ecc"]) == ("580.159.04", True)


def test_every_fact_that_is_missing_has_its_reason(driver: nvml.Gpu) -> None:
    for found in (
        environment.collect("cpu"),
        environment.collect("cuda:0", torch=OnAGpu(ScriptedGpu()), driver=driver),
    ):
        missing = {key for key, value in found.facts.items() if value is None}
        assert missing == set(found.reasons)
        assert all(found.reasons.values())


def test_nothing_in_the_key_moves_by_itself(driver: nvml.Gpu) -> None:
    assert environment.collect("cpu").key == environment.collect("cpu").key
    library = driver.library
    scripted = OnAGpu(ScriptedGpu())
    before = environment.collect("cuda:0", torch=scripted, driver=driver)
    library.answers["nvmlDeviceGetTemperature"] = lambda *_: 80
    library.answers["nvmlDeviceGetClockInfo"] = lambda *_: 1200
    library.counters_ns[74] = 10**12
    assert environment.collect("cuda:0", torch=scripted, driver=driver).key == before.key
    library.answers["nvmlDeviceGetEnforcedPowerLimit"] = lambda _: 300_000
    assert environment.collect("cuda:0", torch=scripted, driver=driver).key != before.key


def test_the_metronome_of_a_gpu_does_not_depend_on_python(driver: nvml.Gpu) -> None:
    assert "Python" in str(environment.collect("cpu").facts["metronome"])
    on_gpu = environment.collect("cuda:0", torch=OnAGpu(ScriptedGpu()), driver=driver)
    assert on_gpu.facts["metronome"] == "spin of 2000000 SM cycles"


def test_what_moves_is_told_apart_and_no_name_is_in_both(driver: nvml.Gpu) -> None:
    found = {**host.readings(host.VOLATILE), **gpu.volatile(driver)}
    moving = {key: reading.value for key, reading in found.items()}
    assert moving["gpu_temperature_celsius"] == 41
    assert moving["gpu_sm_clock_hz"] == 1.755e9
    assert moving["gpu_clock_limits"] == "power cap"
    assert "load_1m" in moving
    assert not moving.keys() & environment.collect("cuda:0", torch=OnAGpu(ScriptedGpu()), driver=driver).facts.keys()


def test_without_nvml_the_gpu_is_still_known_from_torch() -> None:
    found = environment.collect("cuda:0", torch=OnAGpu(ScriptedGpu()), driver=nvml.Gpu(absent="NVML: gone"))
    assert (found.facts["gpu"], found.facts["gpu_memory_bytes"]) == ("Scripted GPU", 80 << 30)
    assert found.reasons["driver"] == "NVML: gone"


def test_a_setting_that_torch_refuses_to_tell_is_missing_with_torch_s_words() -> None:
    class Mixed(OnAGpu):
        def get_float32_matmul_precision(self) -> str:
            raise RuntimeError("mix of the legacy and new APIs")

    found = environment.collect("cpu", torch=Mixed(ScriptedGpu()))
    assert found.facts["matmul_precision"] is None
    assert "mix of the legacy and new APIs" in found.reasons["matmul_precision"]


def test_the_facts_survive_json() -> None:
    found = environment.collect("cpu")
    assert json.loads(json.dumps(dataclasses.asdict(found)))["facts"] == dict(found.facts)


def test_only_variables_that_change_numbers_are_kept() -> None:
    kept = {
        "OMP_NUM_THREADS",
        "KMP_BLOCKTIME",
        "MKL_NUM_THREADS",
        "MALLOC_TOP_PAD_",
        "CUBLAS_WORKSPACE_CONFIG",
        "PYTORCH_CUDA_ALLOC_CONF",
        "PYTORCH_ALLOC_CONF",
        "NVIDIA_TF32_OVERRIDE",
        "TORCH_ALLOW_TF32_CUBLAS_OVERRIDE",
        "CUDA_LAUNCH_BLOCKING",
        "CUDA_MODULE_LOADING",
        "LD_PRELOAD",
        "GLIBC_TUNABLES",
        "ONEDNN_MAX_CPU_ISA",
    }
    left_out = {
        "HOME",
        "PATH",
        "CUDA_VERSION",
        "CUDA_HOME",
        "CUDA_VISIBLE_DEVICES",
        "CUDNN_VERSION",
        "PYTORCH_VERSION",
        "PYTORCH_KERNEL_CACHE_PATH",
        "TORCH_HOME",
        "MKL_SECRET",
        "NVIDIA_VISIBLE_DEVICES",
    }
    assert set(environment.variables(dict.fromkeys(kept | left_out, "1"))) == kept


def test_a_variable_that_is_set_is_a_fact_and_changes_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    before = environment.collect("cpu")
    monkeypatch.setenv("OMP_SCHEDULE", "static,17")
    after = environment.collect("cpu")
    assert after.facts["env.OMP_SCHEDULE"] == "static,17"
    assert after.key != before.key


@pytest.mark.parametrize(("number", "text"), [(91002, "9.10.2"), (90100, "9.1.0"), (8902, "8.9.2"), (7605, "7.6.5")])
def test_cudnn_versions_read_as_their_maker_writes_them(number: int, text: str) -> None:
    assert environment.cudnn_version(number) == text


def test_this_process_s_threads_and_cores_are_told() -> None:
    found = environment.collect("cpu").facts
    assert found["threads"] == torch.get_num_threads()
    if hasattr(os, "sched_getaffinity"):
        assert found["affinity"] == host.ranges(os.sched_getaffinity(0))


@pytest.mark.cuda
def test_a_real_gpu_is_told_by_torch_and_driver_alike() -> None:
    found = environment.collect("cuda:0")
    assert found.facts["gpu_memory_bytes"] == torch.cuda.get_device_properties(0).total_memory
    assert str(found.facts["gpu_uuid"]).count("-") == 4
    assert found.facts["driver"] or found.reasons["driver"]
    assert environment.collect("cuda:0").key == found.key
