"""A ``pynvml`` that answers from a script, or fails as the script says."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any


class NVMLError(Exception):
    """``pynvml.NVMLError``: a code and its text."""

    def __init__(self, value: int, text: str) -> None:
        super().__init__(text)
        self.value = value


NOT_SUPPORTED = NVMLError(3, "Not Supported")
NO_PERMISSION = NVMLError(4, "Insufficient Permissions")
NOT_FOUND = NVMLError(6, "Not Found")


class ScriptedNvml:
    """One GPU.  ``failing[name]`` is raised by that getter; a getter that is deleted from ``answers`` is not there."""

    NVMLError = NVMLError
    NVML_SUCCESS, NVML_ERROR_NOT_FOUND = 0, 6
    NVML_CLOCK_SM, NVML_CLOCK_MEM, NVML_TEMPERATURE_GPU = 1, 2, 0
    NVML_MEMORY_ERROR_TYPE_UNCORRECTED, NVML_VOLATILE_ECC = 1, 0
    NVML_PERF_POLICY_POWER, NVML_PERF_POLICY_THERMAL = 0, 1
    NVML_FI_DEV_PERF_POLICY_POWER, NVML_FI_DEV_PERF_POLICY_THERMAL = 74, 75
    nvmlMemory_v2 = 0x02000028  # noqa: N815

    def __init__(self) -> None:
        self.failing: dict[str, Exception] = {}
        self.uuids = {"GPU-11111111-2222-3333-4444-555555555555": "whole"}
        self.counters_ns = {74: 0, 75: 0}
        self.pids: dict[int, int] = {}
        self.busy: list[SimpleNamespace] = []
        self.asked: list[tuple[str, Any]] = []
        self.answers: dict[str, Callable[..., Any]] = {
            "nvmlInit": lambda: None,
            "nvmlSystemGetDriverVersion": lambda: "580.159.04",
            "nvmlDeviceGetCount": lambda: 1,
            "nvmlDeviceGetHandleByIndex": lambda _: "whole",
            "nvmlDeviceGetHandleByUUID": self._by_uuid,
            "nvmlDeviceIsMigDeviceHandle": lambda h: int(h == "instance"),
            "nvmlDeviceGetDeviceHandleFromMigDeviceHandle": lambda _: "whole",
            "nvmlDeviceGetName": lambda _: "Scripted GPU",
            "nvmlDeviceGetMigMode": lambda _: [0, 0],
            "nvmlDeviceGetCurrentEccMode": lambda _: 1,
            "nvmlDeviceGetEnforcedPowerLimit": lambda _: 700_000,
            "nvmlDeviceGetMaxClockInfo": lambda _, kind: {1: 1980, 2: 2619}[kind],
            "nvmlDeviceGetClockInfo": lambda _, kind: {1: 1755, 2: 2619}[kind],
            "nvmlDeviceGetPersistenceMode": lambda _: 1,
            "nvmlDeviceGetComputeMode": lambda _: 0,
            "nvmlDeviceGetVbiosVersion": lambda _: "96.00.AF.00.01",
            "nvmlDeviceGetMaxPcieLinkGeneration": lambda _: 5,
            "nvmlDeviceGetMaxPcieLinkWidth": lambda _: 16,
            "nvmlDeviceGetTemperature": lambda *_: 41,
            "nvmlDeviceGetPowerUsage": lambda _: 123_456,
            "nvmlDeviceGetTotalEnergyConsumption": lambda _: 5_000,
            "nvmlDeviceGetTotalEccErrors": lambda *_: 0,
            "nvmlDeviceGetMemoryInfo": lambda _, version=1: SimpleNamespace(
                total=80 << 30, used=(1 << 30) if version != 1 else (2 << 30), free=79 << 30, reserved=1 << 29
            ),
            "nvmlDeviceGetCurrentClocksEventReasons": lambda _: 0x4 | 0x1,
            "nvmlDeviceGetFieldValues": self._fields,
            "nvmlDeviceGetViolationStatus": lambda _, policy: SimpleNamespace(
                violationTime=self.counters_ns[74 + policy]
            ),
            "nvmlDeviceGetComputeRunningProcesses": lambda _: [
                SimpleNamespace(pid=pid, usedGpuMemory=size) for pid, size in self.pids.items()
            ],
            "nvmlDeviceGetProcessUtilization": lambda *_: self.busy,
        }

    def __getattr__(self, name: str) -> Callable[..., Any]:
        if name.startswith("__") or name not in self.answers:
            raise AttributeError(name)

        def call(*arguments: Any, **options: Any) -> Any:
            self.asked.append((name, arguments[0] if arguments else None))
            if name in self.failing:
                raise self.failing[name]
            return self.answers[name](*arguments, **options)

        return call

    def _by_uuid(self, uuid: str) -> str:
        if uuid not in self.uuids:
            raise NOT_FOUND
        return self.uuids[uuid]

    def _fields(self, _: str, wanted: list[int]) -> list[SimpleNamespace]:
        return [
            SimpleNamespace(nvmlReturn=0, value=SimpleNamespace(ullVal=self.counters_ns[number])) for number in wanted
        ]
