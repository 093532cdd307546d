"""The CPU as a device: wall time, caches as the loop leaves them, and flags from the kernel's counters."""

from __future__ import annotations

import functools
import hashlib
import os
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import torch
from torch.autograd.profiler import profile

from bench.measure.device import Block, Sample
from bench.measure.host import COPIED_BYTES, HASHED_BYTES, LOOP_ROUNDS
from bench.model import Flag

try:
    import resource
except ImportError:  # Windows
    resource = None  # type: ignore[assignment]

# A minor fault with zeroing cost 1.6 us here (752 faults made a 2.7 ms conv 1.2 ms slower);
# events that explain less than 1 % of a sample leave it valid.
FAULT_SECONDS, MATERIAL = 1.6e-6, 0.01
_HASHED, _COPIED = (bytes(range(256)) * (size // 256) for size in (HASHED_BYTES, COPIED_BYTES))
_CHUNK = _HASHED[:1024]  # what ``busy`` repeats: about a microsecond
# On a machine with neighbours the best of five calls was not the machine's best: cases came to 130 % of the ceiling.
CEILING_SECONDS = 0.4
_CGROUP = Path("/sys/fs/cgroup")


def _interpret() -> None:
    total = 0
    for i in range(LOOP_ROUNDS):
        total += i * i


class Cpu:
    """``bench.measure.device.Device`` for the processor this process may run on."""

    kind = "cpu"
    torch_name = "cpu"

    def __init__(self) -> None:
        self._switches = _open("/proc/thread-self/schedstat")
        self._stat = _open("/proc/stat")
        copy = memoryview(bytearray(len(_COPIED)))
        self._beats: Mapping[str, Callable[[], object]] = {
            "hash": lambda: hashlib.sha256(_HASHED).digest(),
            "copy": lambda: copy.__setitem__(slice(None), _COPIED),
            "python": _interpret,
        }

    def sample(self, block: Block, loops: int) -> Sample:
        """Wall time of a block; flagged by what the kernel counted meanwhile."""
        switches, faults, waited, stolen = self._counters()
        start = time.perf_counter_ns()
        block(loops)
        elapsed = (time.perf_counter_ns() - start) * 1e-9
        after = self._counters()
        flags: list[Flag] = []
        if after[0] > switches and (after[2] - waited) * 1e-9 > MATERIAL * elapsed:
            flags.append("preempted")
        if (after[1] - faults) * FAULT_SECONDS > MATERIAL * elapsed:
            flags.append("page_faults")
        if after[3] > stolen:
            flags.append("stolen")
        return Sample(seconds=elapsed / loops, flags=tuple(flags))

    def _counters(self) -> tuple[int, int, int, int]:
        """Involuntary switches, page faults, nanoseconds waited for a core (this thread), ticks stolen by the host."""
        usage = resource.getrusage(resource.RUSAGE_SELF) if resource else None
        switches, faults = (usage.ru_nivcsw, usage.ru_minflt + usage.ru_majflt) if usage else (0, 0)
        # Where the kernel does not say how long a thread waited, every switch counts as material.
        waited = int(os.pread(self._switches, 64, 0).split()[1]) if self._switches else switches * 10**9
        stolen = int(os.pread(self._stat, 128, 0).split(maxsplit=9)[8]) if self._stat else 0
        return switches, faults, waited, stolen

    def once(self, block: Block) -> float:
        start = time.perf_counter_ns()
        block(1)
        return (time.perf_counter_ns() - start) * 1e-9

    def metronomes(self) -> Mapping[str, float]:
        """A compute block, a memory block and an interpreter block, none of which depends on torch.

        Each runs once untimed: what the sample before it left in the caches is the case's doing, not the machine's.
        The first hash after a convolution took 25 to 50 % longer than all that followed.
        """
        return {name: _second(beat) for name, beat in self._beats.items()}

    def peak(self, call: Callable[[], object]) -> Mapping[str, float]:
        """Peak of torch's own allocations from the profiler's memory events, and the rise of resident memory.

        ``rss`` means something only for the first call in a fresh process: the steady allocator gives nothing back.
        """
        before = _status_bytes("VmRSS:")
        _reset_high_water()
        call()
        high = _status_bytes("VmHWM:")
        found = {"peak": float(_peak_of_allocations(call))}
        return found if before is None or high is None else {**found, "rss": float(max(0, high - before))}

    def free_bytes(self) -> int:
        return int(min(_available(), _cgroup_free()))

    def ceilings(self) -> Mapping[str, float]:
        """Copy of 64 MiB (read + written bytes per second) and an fp32 matmul of 1024, each the best of many calls."""
        source, target = torch.rand(1 << 24), torch.empty(1 << 24)
        a, b = torch.rand(1024, 1024), torch.rand(1024, 1024)
        copied = self._best(lambda: target.copy_(source))
        multiplied = self._best(lambda: a @ b)
        return {"bytes": 2 * source.nbytes / copied, "flops": 2 * 1024**3 / multiplied}

    def _best(self, call: Callable[[], object]) -> float:
        def block(loops: int) -> None:
            for _ in range(loops):
                call()

        self.once(block)
        end = time.perf_counter() + CEILING_SECONDS
        best = self.once(block)
        while time.perf_counter() < end:
            best = min(best, self.once(block))
        return best

    def busy(self, seconds: float) -> None:
        """Hash small chunks, as many as took so long when this device was made."""
        for _ in range(round(seconds / self._chunk_seconds)):
            hashlib.sha256(_CHUNK).digest()

    @functools.cached_property
    def _chunk_seconds(self) -> float:
        def block(loops: int) -> None:
            for _ in range(100 * loops):
                hashlib.sha256(_CHUNK).digest()

        return min(self.once(block) for _ in range(20)) / 100


def _second(beat: Callable[[], object]) -> float:
    beat()
    start = time.perf_counter_ns()
    beat()
    return (time.perf_counter_ns() - start) * 1e-9


def _open(path: str) -> int:
    """A file descriptor to read again and again, or 0 where the system has no such file."""
    try:
        return os.open(path, os.O_RDONLY)
    except OSError:
        return 0


def _peak_of_allocations(call: Callable[[], object]) -> int:
    # Not torch.profiler: its first use imports 800 modules, 0.7 s in every fresh process.
    with profile(use_kineto=True, profile_memory=True) as profiled:
        kept = call()
    del kept
    results = profiled.kineto_results
    events = [e for e in (results.events() if results else ()) if e.name() == "[memory]"]
    held = peak = 0
    for event in sorted(events, key=lambda e: e.start_ns()):
        held += event.nbytes()
        peak = max(peak, held)
    return peak


def _status_bytes(field: str) -> int | None:
    try:
        lines = Path("/proc/self/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    return next((int(line.split()[1]) * 1024 for line in lines if line.startswith(field)), None)


def _reset_high_water() -> None:
    """Linux: writing 5 to clear_refs sets VmHWM back to VmRSS (proc(5))."""
    if sys.platform == "linux":
        try:
            Path("/proc/self/clear_refs").write_text("5", encoding="ascii")
        except OSError:
            return


def _available() -> float:
    """What the kernel could hand out without swapping; psutil where there is no /proc (a worker needs only torch)."""
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
        return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("MemAvailable:"))
    except OSError:
        import psutil

        return float(psutil.virtual_memory().available)


def _cgroup_free() -> float:
    """What the container's limit leaves, or infinity without one (cgroup v2, then v1)."""
    v2 = _left_in(_CGROUP, "memory.max", "memory.current", "inactive_file")
    v1 = _left_in(_CGROUP / "memory", "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file")
    return min(v2, v1)


def _left_in(folder: Path, limit: str, used: str, cached: str) -> float:
    """Limit less use; pages of files count as used there, but the kernel gives them back when asked."""
    try:
        lines = (folder / "memory.stat").read_text(encoding="ascii").splitlines()
        cache = next(int(line.split()[1]) for line in lines if line.startswith(cached + " "))
        most, held = (int((folder / name).read_text(encoding="ascii")) for name in (limit, used))
        return most - held + cache
    except (OSError, ValueError, StopIteration):
        return float("inf")
