from __future__ import annotations

import contextlib
import os
import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
from scripted_nvml import NO_PERMISSION, NOT_FOUND, NOT_SUPPORTED, ScriptedNvml

from bench.measure import gpu, nvml
from bench.measure.workers import Processes

UUID = "11111111-2222-3333-4444-555555555555"


@pytest.fixture
def library() -> ScriptedNvml:
    return ScriptedNvml()


@pytest.fixture
def whole(library: ScriptedNvml) -> nvml.Gpu:
    return nvml.find(library, UUID)


def test_a_gpu_is_found_by_the_uuid_that_torch_prints_with_or_without_its_prefix(library: ScriptedNvml) -> None:
    assert nvml.find(library, UUID).handles == nvml.find(library, f"GPU-{UUID}").handles == ("whole",)


def test_an_unknown_uuid_gives_a_gpu_that_answers_nothing_and_says_why(library: ScriptedNvml) -> None:
    lost = nvml.find(library, "00000000-0000-0000-0000-000000000000")
    assert lost.read(lambda n, h: n.nvmlDeviceGetName(h)) == nvml.Reading(value=None, reason="NVML: Not Found")


def test_a_mig_instance_answers_for_itself_where_it_can_and_its_gpu_for_the_rest(library: ScriptedNvml) -> None:
    library.uuids = {f"MIG-{UUID}": "instance"}

    def limit(handle: str) -> int:
        if handle == "instance":
            raise NOT_SUPPORTED
        return 350_000

    library.answers["nvmlDeviceGetEnforcedPowerLimit"] = limit
    instance = nvml.find(library, UUID)
    assert instance.handles == ("instance", "whole")
    assert instance.read(gpu.FACTS["gpu_power_limit_watts"]).value == 350
    nvml.memory(instance)
    assert library.asked[-1] == ("nvmlDeviceGetMemoryInfo", "instance")


def test_the_mig_instance_of_cuda_visible_devices_is_asked_before_the_gpu_that_cuda_names(
    library: ScriptedNvml,
) -> None:
    library.uuids["MIG-aaaa"] = "instance"
    entry = nvml.visible_entry("GPU-zzzz, MIG-aaaa", 1)
    assert nvml.find(library, UUID, entry).handles == ("instance", "whole")


@pytest.mark.parametrize(
    ("visible", "index", "entry"), [("3,1", 0, "3"), ("3,1", 1, "1"), ("3,1", 2, ""), ("", 0, ""), (None, 0, "")]
)
def test_an_index_counts_within_cuda_visible_devices(visible: str | None, index: int, entry: str) -> None:
    assert nvml.visible_entry(visible, index) == entry


def test_a_driver_that_does_not_know_mig_has_whole_gpus(library: ScriptedNvml) -> None:
    library.failing["nvmlDeviceIsMigDeviceHandle"] = NVML_FUNCTION_NOT_FOUND
    assert nvml.find(library, UUID).handles == ("whole",)


NVML_FUNCTION_NOT_FOUND = RuntimeError("Function Not Found")


@pytest.mark.parametrize("failure", [NOT_SUPPORTED, NO_PERMISSION, RuntimeError("driver trouble")])
@pytest.mark.parametrize("getter", sorted(ScriptedNvml().answers))
def test_any_getter_may_fail_and_costs_only_its_own_facts(getter: str, failure: Exception) -> None:
    library = ScriptedNvml()
    library.pids = {os.getpid(): 1, 999_999_999: 1}
    healthy = _everything(nvml.find(library, UUID))
    library.failing[getter] = failure
    found = nvml.find(library, UUID)
    broken = _everything(found)
    assert broken.keys() == healthy.keys()
    assert all(reading.value is not None or reading.reason for reading in broken.values())
    if found.handles:
        changed = [key for key in healthy if broken[key] != healthy[key]]
        assert len(changed) <= 3, changed


def _everything(found: nvml.Gpu) -> dict[str, nvml.Reading]:
    nvml.throttle_seconds(found)
    nvml.used_bytes(found)
    nvml.all_gpus(found.library)
    known = {key: found.read(question) for key, question in gpu.FACTS.items()}
    known |= {
        "name": found.read(lambda n, h: n.nvmlDeviceGetName(h)),
        "busy": nvml.busy_elsewhere(found, 0, os.getpid().__eq__),
        "clock": nvml.Reading(value=nvml.sm_clock_hz(found), reason="as above"),
        "power": nvml.Reading(value=nvml.power_watts(found), reason="as above"),
        "energy": nvml.Reading(value=nvml.energy_joules(found), reason="as above"),
    }
    return known | gpu.volatile(found)


def test_every_scripted_getter_is_asked_by_what_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """Or the test above could not fail."""
    library = ScriptedNvml()
    library.pids = {os.getpid(): 1, 999_999_999: 1}
    library.failing["nvmlDeviceGetFieldValues"] = NOT_SUPPORTED  # older GPUs are asked by violation
    monkeypatch.setitem(sys.modules, "pynvml", library)  # type: ignore[arg-type]
    assert nvml.load() == (library, "")
    _everything(nvml.find(library, UUID))
    library.uuids = {f"MIG-{UUID}": "instance"}
    nvml.find(library, UUID)
    assert {name for name, _ in library.asked} >= library.answers.keys()


def test_the_real_library_knows_every_getter_and_constant_that_is_asked_for() -> None:
    """Without a driver: it then says that it is not initialised, and never that it has no such name."""
    pynvml = pytest.importorskip("pynvml")
    real = nvml.Gpu(library=pynvml, handles=(object(),))
    reasons = {key: reading.reason for key, reading in _everything(real).items() if reading.value is None}
    assert not [key for key, reason in reasons.items() if "too old" in reason]
    assert "NVML: Uninitialized" in reasons.values() or not reasons
    names = {*nvml._LIMITS.values(), *nvml._POLICIES.values(), "nvmlMemory_v2", "NVML_SUCCESS", "NVML_ERROR_NOT_FOUND"}
    assert not [name for name in (*names, *ScriptedNvml().answers) if not hasattr(pynvml, name)]
    scripted = {name: value for name, value in vars(ScriptedNvml).items() if name.startswith("NVML_")}
    assert {name: getattr(pynvml, name) for name in scripted} == scripted


def test_the_facts_are_what_the_driver_says_in_si_units(whole: nvml.Gpu) -> None:
    facts = {key: whole.read(question).value for key, question in gpu.FACTS.items()}
    assert facts == {
        "driver": "580.159.04",
        "gpu_mig": False,
        "gpu_ecc": True,
        "gpu_power_limit_watts": 700.0,
        "gpu_max_sm_clock_hz": 1.98e9,
        "gpu_max_memory_clock_hz": 2.619e9,
        "gpu_persistence": True,
        "gpu_compute_mode": "default",
        "gpu_vbios": "96.00.AF.00.01",
        "gpu_link": "gen5 x16",
    }
    assert (nvml.sm_clock_hz(whole), nvml.power_watts(whole)) == (1.755e9, 123.456)
    assert nvml.energy_joules(whole) == 5.0


def test_without_the_library_every_reading_says_so(monkeypatch: pytest.MonkeyPatch) -> None:
    failing = ScriptedNvml()
    failing.failing["nvmlInit"] = NVMLLibraryNotFound
    monkeypatch.setitem(sys.modules, "pynvml", failing)  # type: ignore[arg-type]
    library, reason = nvml.load()
    assert (library, reason) == (None, "NVML: NVML Shared Library Not Found")
    absent = nvml.Gpu(absent=reason)
    assert all(reading.reason == reason for reading in gpu.volatile(absent).values())
    assert (nvml.used_bytes(absent), nvml.energy_joules(absent), dict(nvml.throttle_seconds(absent))) == (
        None,
        None,
        {},
    )


NVMLLibraryNotFound = ScriptedNvml.NVMLError(12, "NVML Shared Library Not Found")


def test_without_nvidia_ml_py_the_reason_names_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "pynvml", None)
    assert nvml.load() == (None, "nvidia-ml-py is not installed")


def test_memory_counts_what_the_driver_keeps_apart_where_it_can(library: ScriptedNvml, whole: nvml.Gpu) -> None:
    assert nvml.used_bytes(whole) == 1 << 30
    library.answers["nvmlDeviceGetMemoryInfo"] = lambda _: SimpleNamespace(used=2 << 30)  # an old one: no versions
    assert nvml.used_bytes(whole) == 2 << 30


def test_throttling_is_counted_in_seconds_and_only_by_counters_that_answer(library: ScriptedNvml) -> None:
    library.counters_ns = {74: 2_000_000_000, 75: 500_000_000}
    whole = nvml.find(library, UUID)
    expected = {"power cap": 2.0, "thermal": 0.5}
    assert nvml.throttle_seconds(whole) == pytest.approx(expected)
    library.failing["nvmlDeviceGetFieldValues"] = NOT_SUPPORTED
    assert nvml.throttle_seconds(whole) == pytest.approx(expected)
    library.failing["nvmlDeviceGetViolationStatus"] = NOT_SUPPORTED
    assert nvml.throttle_seconds(whole) == {}


def test_a_counter_the_gpu_lacks_is_left_out(library: ScriptedNvml, whole: nvml.Gpu) -> None:
    library.answers["nvmlDeviceGetFieldValues"] = lambda _, wanted: [
        SimpleNamespace(nvmlReturn=0 if number == 74 else 3, value=SimpleNamespace(ullVal=7_000_000_000))
        for number in wanted
    ]
    assert nvml.throttle_seconds(whole) == pytest.approx({"power cap": 7.0})


def test_what_limits_the_clocks_is_said_in_words_and_idleness_is_no_limit(
    library: ScriptedNvml, whole: nvml.Gpu
) -> None:
    assert nvml.clock_limits(whole).value == "power cap"
    library.answers["nvmlDeviceGetCurrentClocksEventReasons"] = lambda _: 0x4 | 0x400
    assert nvml.clock_limits(whole).value == "power cap, reason 0x400"
    library.answers["nvmlDeviceGetCurrentClocksThrottleReasons"] = lambda _: 0x40
    del library.answers["nvmlDeviceGetCurrentClocksEventReasons"]  # an older library knows the older name
    assert nvml.clock_limits(whole).value == "hardware thermal"


def test_processes_of_this_run_are_not_other_tenants(library: ScriptedNvml, whole: nvml.Gpu) -> None:
    library.pids = {os.getpid(): 1 << 30, os.getppid(): 1 << 29, 999_999_999: 1 << 30}
    ours = {os.getpid(), os.getppid()}
    assert nvml.other_processes(whole, ours.__contains__).value == 1


def test_what_a_run_started_is_its_own_and_nothing_else(monkeypatch: pytest.MonkeyPatch) -> None:
    """Workers lead process groups of their own, and two that take turns see each other on the GPU."""
    monkeypatch.delenv(nvml.RUNNER, raising=False)
    assert nvml.is_ours(os.getpid())
    with contextlib.closing(Processes()) as launcher:
        first, second = launcher.launch(), launcher.launch()
        assert os.getpgid(first.pid) != os.getpgid(second.pid)
        assert nvml.is_ours(first.pid)
        monkeypatch.setenv(nvml.RUNNER, str(os.getpid()))  # as in the other worker
        assert nvml.is_ours(second.pid)
        environment = Path(f"/proc/{first.pid}/environ").read_bytes().split(b"\0")
        assert f"{nvml.RUNNER}={os.getpid():010d}".encode() in environment
        monkeypatch.setenv(nvml.RUNNER, str(second.pid))
        assert not nvml.is_ours(first.pid)
    assert not nvml.is_ours(os.getppid())
    assert not nvml.is_ours(999_999_999)


def test_a_gpu_that_is_cut_answers_for_power_but_not_for_an_instance_that_was_not_named(
    library: ScriptedNvml,
) -> None:
    library.answers["nvmlDeviceGetMigMode"] = lambda _: [1, 1]
    library.pids = {os.getpid(): 1}
    whole = nvml.find(library, UUID)
    assert nvml.power_watts(whole) == 123.456
    assert nvml.used_bytes(whole) is None
    told = nvml.other_processes(whole)
    assert told.value is None
    assert "name yours in CUDA_VISIBLE_DEVICES" in told.reason


def test_the_memory_of_a_mig_instance_is_never_its_gpu_s(library: ScriptedNvml) -> None:
    library.uuids = {f"MIG-{UUID}": "instance"}
    library.failing["nvmlDeviceGetMemoryInfo"] = NOT_SUPPORTED
    assert nvml.used_bytes(nvml.find(library, UUID)) is None
    assert ("nvmlDeviceGetMemoryInfo", "whole") not in library.asked


def test_garbage_among_the_samples_of_processes_is_no_tenant(library: ScriptedNvml, whole: nvml.Gpu) -> None:
    library.pids = {os.getpid(): 1, 999_999_999: 1}
    library.busy = [
        SimpleNamespace(pid=999_999_999, smUtil=4_000_000_000, timeStamp=200),
        SimpleNamespace(pid=888_888_888, smUtil=90, timeStamp=200),  # holds nothing of the GPU
    ]
    assert nvml.busy_elsewhere(whole, 100).value == 0.0
    library.failing["nvmlDeviceGetProcessUtilization"] = ScriptedNvml.NVMLError(0, "nothing to tell")
    assert nvml.busy_elsewhere(whole, 100).value == 0.0


def test_foreign_process_ids_are_admitted_not_guessed(library: ScriptedNvml, whole: nvml.Gpu) -> None:
    library.pids = {999_999_999: 1 << 30}
    assert nvml.other_processes(whole).reason == "the driver's process ids are not this container's"
    assert nvml.busy_elsewhere(whole, 0).value is None


def test_only_another_tenant_at_work_since_then_counts_as_busy(library: ScriptedNvml, whole: nvml.Gpu) -> None:
    library.pids = {os.getpid(): 1, 999_999_999: 1}
    library.busy = [
        SimpleNamespace(pid=os.getpid(), smUtil=90, timeStamp=200),
        SimpleNamespace(pid=999_999_999, smUtil=40, timeStamp=50),
    ]
    assert nvml.busy_elsewhere(whole, 100).value == 0.0
    assert nvml.busy_elsewhere(whole, 10).value == 0.4
    library.failing["nvmlDeviceGetProcessUtilization"] = NOT_FOUND  # nobody was sampled at work
    assert nvml.busy_elsewhere(whole, 10).value == 0.0
    library.failing["nvmlDeviceGetProcessUtilization"] = NOT_SUPPORTED
    assert nvml.busy_elsewhere(whole, 10) == nvml.Reading(value=None, reason="NVML: Not Supported")
