"""What the driver says of one GPU: found by UUID, and every question may go unanswered without harm.

NVML comes through ``nvidia-ml-py`` (imports as ``pynvml``).  Where it is absent, or a getter answers NotSupported or
NoPermission, the reading is None with the reason, and measuring goes on.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

from bench.measure.reading import Reading, Unanswered, read

# The environment variable in which workers find the process that measures with them.
RUNNER = "BENCH_RUNNER"

T = TypeVar("T")
Question = Callable[[Any, Any], Any]  # (pynvml, handle) -> answer


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpu:
    """One GPU, or one MIG instance of it, as NVML sees it.

    ``handles``: the device itself, then the GPU it is cut from: a MIG instance answers for its memory and
    processes, and its parent for power and clocks.  ``absent``: why there is nobody to ask; then handles are empty.
    ``cut``: why the device itself cannot be asked although its GPU can.
    """

    library: Any = None
    handles: tuple[Any, ...] = ()
    absent: str = ""
    cut: str = ""

    @property
    def itself(self) -> Gpu:
        """The device without the GPU that it is cut from, whose memory and processes are others' too."""
        return Gpu(absent=self.cut) if self.cut else replace(self, handles=self.handles[:1])

    def ask(self, question: Question) -> Any:
        """The first handle's answer.  Raises Unanswered with the reason where none answers."""
        if not self.handles:
            raise Unanswered(self.absent)
        first, *rest = self.handles
        try:
            return question(self.library, first)
        except Exception as error:  # whatever a driver does, it must not end a measurement
            if rest:
                return Gpu(library=self.library, handles=tuple(rest)).ask(question)
            raise Unanswered(_sentence(error)) from error

    def read(self, question: Question) -> Reading:
        """The answer as a value, or None and why."""
        return read(lambda: self.ask(question))


def _sentence(error: Exception) -> str:
    if isinstance(error, AttributeError):
        return "this nvidia-ml-py is too old to ask"
    return f"NVML: {str(error) or type(error).__name__}"


def load() -> tuple[Any, str]:
    """NVML ready to be asked, or None and why it is not there."""
    try:
        import pynvml
    except ImportError:
        return None, "nvidia-ml-py is not installed"
    try:
        pynvml.nvmlInit()
    except Exception as error:  # whatever a driver does
        return None, _sentence(error)
    return pynvml, ""


def find(library: Any, uuid: str, instance: str = "") -> Gpu:
    """The GPU with this UUID (as torch prints it, with or without ``GPU-``), whatever CUDA_VISIBLE_DEVICES shows.

    instance: the entry of CUDA_VISIBLE_DEVICES for this device; where it names a MIG instance, that is asked first,
    because CUDA may report the UUID of the whole GPU for it.
    """
    bare = uuid.removeprefix("GPU-").removeprefix("MIG-")
    names = ([instance] if instance.startswith("MIG-") else []) + [f"GPU-{bare}", f"MIG-{bare}"]
    found = [_by_uuid(library, name) for name in names]
    return next((gpu for gpu in found if gpu.handles), found[-2])


def _by_uuid(library: Any, name: str) -> Gpu:
    try:
        handle = library.nvmlDeviceGetHandleByUUID(name)
    except Exception as error:  # another spelling may do
        return Gpu(absent=_sentence(error))
    handles = (handle, *_parent(library, handle))
    return Gpu(library=library, handles=handles, cut=_CUT if len(handles) == 1 and _is_cut(library, handle) else "")


_CUT = "the GPU is cut into MIG instances: name yours in CUDA_VISIBLE_DEVICES (MIG-…, as nvidia-smi -L prints it)"


def _is_cut(library: Any, handle: Any) -> bool:
    try:
        return bool(library.nvmlDeviceGetMigMode(handle)[0])
    except Exception:  # no MIG here
        return False


def _parent(library: Any, handle: Any) -> tuple[Any, ...]:
    """The whole GPU behind a MIG instance; nothing for a whole GPU."""
    try:
        if library.nvmlDeviceIsMigDeviceHandle(handle):
            return (library.nvmlDeviceGetDeviceHandleFromMigDeviceHandle(handle),)
    except Exception:  # drivers before MIG do not know the question: a whole GPU
        return ()
    return ()


def visible_entry(visible: str | None, index: int) -> str:
    """The entry of CUDA_VISIBLE_DEVICES that ``cuda:index`` stands for; empty where it lists none."""
    entries = [entry.strip() for entry in (visible or "").split(",") if entry.strip()]
    return entries[index] if index < len(entries) else ""


def all_gpus(library: Any) -> tuple[Gpu, ...]:
    """Every GPU of the machine, visible to CUDA or not."""
    try:
        count = library.nvmlDeviceGetCount()
        handles = [library.nvmlDeviceGetHandleByIndex(index) for index in range(count)]
    except Exception as error:
        return (Gpu(absent=_sentence(error)),)
    return tuple(Gpu(library=library, handles=(handle,)) for handle in handles)


def memory(gpu: Gpu) -> Any:
    """Total, reserved, free and used bytes; version 2 counts what the driver keeps for itself apart from ``used``."""
    try:
        return gpu.itself.ask(lambda n, h: n.nvmlDeviceGetMemoryInfo(h, version=n.nvmlMemory_v2))
    except Unanswered:
        return gpu.itself.ask(lambda n, h: n.nvmlDeviceGetMemoryInfo(h))


def used_bytes(gpu: Gpu) -> int | None:
    """Bytes of GPU memory in use by all processes, contexts included."""
    return _known(lambda: memory(gpu).used)


def _known(ask: Callable[[], T]) -> T | None:
    """What is answered, or None."""
    try:
        return ask()
    except Unanswered:
        return None


def sm_clock_hz(gpu: Gpu) -> float | None:
    """The SM clock now."""
    return _known(lambda: gpu.ask(lambda n, h: n.nvmlDeviceGetClockInfo(h, n.NVML_CLOCK_SM) * 1e6))


def energy_joules(gpu: Gpu) -> float | None:
    """Energy since the driver was loaded (counter in mJ, Volta and later)."""
    return _known(lambda: gpu.ask(lambda n, h: n.nvmlDeviceGetTotalEnergyConsumption(h) * 1e-3))


def power_watts(gpu: Gpu) -> float | None:
    """Power drawn: the mean of the last second from Ampere on, GA100 excepted, which tells the moment's (nvml.h)."""
    return _known(lambda: gpu.ask(lambda n, h: n.nvmlDeviceGetPowerUsage(h) * 1e-3))


# Counters of time spent below the requested clock, nanoseconds each (nvml.h).  Low utilisation is idleness: not here.
_LIMITS = {
    "power cap": "NVML_FI_DEV_PERF_POLICY_POWER",
    "thermal": "NVML_FI_DEV_PERF_POLICY_THERMAL",
    "sync boost": "NVML_FI_DEV_PERF_POLICY_SYNC_BOOST",
    "board limit": "NVML_FI_DEV_PERF_POLICY_BOARD_LIMIT",
    "reliability": "NVML_FI_DEV_PERF_POLICY_RELIABILITY",
    "software thermal": "NVML_FI_DEV_CLOCKS_EVENT_REASON_SW_THERM_SLOWDOWN",
    "hardware thermal": "NVML_FI_DEV_CLOCKS_EVENT_REASON_HW_THERM_SLOWDOWN",
    "power brake": "NVML_FI_DEV_CLOCKS_EVENT_REASON_HW_POWER_BRAKE_SLOWDOWN",
}
_POLICIES = {"power cap": "NVML_PERF_POLICY_POWER", "thermal": "NVML_PERF_POLICY_THERMAL"}


def throttle_seconds(gpu: Gpu) -> Mapping[str, float]:
    """Cumulative seconds held back, by reason; empty where this GPU counts none.  Differences are what matters."""
    try:
        return dict(gpu.ask(_throttle_fields))
    except Unanswered:
        found: dict[str, float] = {}
    for reason, policy in _POLICIES.items():
        seconds = gpu.read(partial(_violation_seconds, policy)).value
        if isinstance(seconds, float):
            found[reason] = seconds
    return found


def _violation_seconds(policy: str, library: Any, handle: Any) -> float:
    return library.nvmlDeviceGetViolationStatus(handle, getattr(library, policy)).violationTime * 1e-9  # type: ignore[no-any-return]


def _throttle_fields(library: Any, handle: Any) -> dict[str, float]:
    known = {reason: getattr(library, name) for reason, name in _LIMITS.items() if hasattr(library, name)}
    values = library.nvmlDeviceGetFieldValues(handle, list(known.values()))
    found = {
        reason: value.value.ullVal * 1e-9
        for reason, value in zip(known, values, strict=True)
        if value.nvmlReturn == library.NVML_SUCCESS
    }
    if not found:
        raise LookupError("no throttle counters")
    return found


# Bits of nvmlDeviceGetCurrentClocksEventReasons (nvml.h); idle is no limit.
_IDLE = 0x1
_REASON_BITS = {
    "clock settings": 0x2,
    "power cap": 0x4,
    "hardware slowdown": 0x8,
    "sync boost": 0x10,
    "software thermal": 0x20,
    "hardware thermal": 0x40,
    "power brake": 0x80,
    "display clock": 0x100,
}


def clock_limits(gpu: Gpu) -> Reading:
    """What holds the clocks back now, in words; empty text when nothing does."""
    for getter in ("nvmlDeviceGetCurrentClocksEventReasons", "nvmlDeviceGetCurrentClocksThrottleReasons"):
        reading = gpu.read(partial(_call, getter))
        if isinstance(reading.value, int):
            words = [word for word, bit in _REASON_BITS.items() if reading.value & bit]
            unknown = reading.value & ~sum(_REASON_BITS.values(), start=_IDLE)
            return Reading(value=", ".join([*words, *([f"reason {unknown:#x}"] if unknown else [])]))
    return reading


def _call(getter: str, library: Any, handle: Any) -> Any:
    return getattr(library, getter)(handle)


def processes(gpu: Gpu) -> Mapping[int, int | None]:
    """Process id -> bytes held, of every process computing on the GPU.  Raises Unanswered."""
    found = gpu.itself.ask(lambda n, h: n.nvmlDeviceGetComputeRunningProcesses(h))
    return {process.pid: process.usedGpuMemory for process in found}


def is_ours(pid: int) -> bool:
    """Whether a process belongs to this run: its runner, or whatever that started, directly or not."""
    runner = int(os.environ.get(RUNNER) or os.getpid())
    while pid > 1 and pid != runner:
        pid = _parent_id(pid)
    return pid == runner


def _parent_id(pid: int) -> int:
    """The process that started another; 0 where that cannot be told: gone, another namespace's, or no /proc."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace").rpartition(")")[2]
        return int(after_name.split()[1])
    except (OSError, ValueError, IndexError):
        return 0


def other_processes(gpu: Gpu, ours: Callable[[int], bool] = is_ours) -> Reading:
    """How many processes of others hold the GPU; None where the driver's process ids are another namespace's.

    Call it from a process that has a context of its own: if NVML does not list that one, it counts in other ids.
    """
    try:
        pids = set(processes(gpu))
    except Unanswered as error:
        return Reading(value=None, reason=str(error))
    if os.getpid() not in pids:
        return Reading(value=None, reason="the driver's process ids are not this container's")
    return Reading(value=sum(not ours(pid) for pid in pids))


def busy_elsewhere(gpu: Gpu, since_microseconds: int, ours: Callable[[int], bool] = is_ours) -> Reading:
    """Largest share of SM time that a process of others used since then; None where that cannot be told."""
    others = other_processes(gpu, ours)
    if others.value in (None, 0):
        return others
    strangers = {pid for pid in processes(gpu) if not ours(pid)}
    return gpu.itself.read(lambda n, h: _largest_share(n, h, since_microseconds, strangers))


def _largest_share(library: Any, handle: Any, since: int, pids: Collection[int]) -> float:
    """Only of processes that hold the GPU, and only shares that can be: drivers have answered with garbage."""
    try:
        samples = library.nvmlDeviceGetProcessUtilization(handle, since)
    except library.NVMLError as error:
        # Nobody was sampled at work; nvidia-ml-py raises SUCCESS where the driver finds nothing to tell.
        if getattr(error, "value", None) in (library.NVML_ERROR_NOT_FOUND, library.NVML_SUCCESS):
            return 0.0
        raise
    shares = (s.smUtil / 100 for s in samples if s.timeStamp > since and s.pid in pids)
    return max((share for share in shares if share <= 1), default=0.0)
