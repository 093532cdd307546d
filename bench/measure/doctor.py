"""What this machine can measure, what is wrong with it, and what to do: facts and short probes, judged one by one."""

from __future__ import annotations

import hashlib
import itertools
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

import psutil

from bench.measure import host
from bench.measure.environment import collect
from bench.measure.finding import Finding, Judgement, Level, judge
from bench.measure.reading import Reading, Unanswered
from bench.measure.workers import CAN_FORK, STEADY
from bench.model import Value

OLDEST_TORCH = (2, 4)
_GIB, _MIB = 2**30, 2**20
# A report of the standard tier takes some 10 MB; a suite's folder of them should not fill a disk.
_LITTLE_DISK_BYTES, _NO_DISK_BYTES = _GIB, 100 * _MIB
# The spread of one case from run to run was 15-30 % on a shared machine.
_SPREAD, _STOLEN_SHARE, _LOAD_PER_CORE = 0.05, 0.005, 0.25
_PROBE_SECONDS, _WINDOWS = 0.6, 20


def diagnose(folder: Path = Path()) -> tuple[Finding, ...]:
    """All findings, the host's and then each GPU's, within a few seconds.  ``folder``: where reports would go."""
    from bench.measure import doctor_gpu

    facts = collect("cpu")
    known = {key: Reading(value=value, reason=facts.reasons.get(key, "")) for key, value in facts.facts.items()}
    readings = {**known, **host.readings(host.VOLATILE), **host.readings(probes(folder))}
    return tuple(judge(topic, keys, verdict, readings) for topic, keys, verdict in _HOST) + doctor_gpu.diagnose()


def probes(folder: Path) -> Mapping[str, Callable[[], Value]]:
    """Questions that are answered by trying."""
    steadiness = _Steadiness()
    return {
        "timer_seconds": timer_seconds,
        "spread": lambda: steadiness.spread,
        "stolen_share": lambda: steadiness.stolen_share,
        "faults_per_block": faults_per_block,
        "disk_free_bytes": lambda: shutil.disk_usage(folder).free,
        "can_fork": lambda: CAN_FORK,
        "unseen_flags": lambda: ", ".join(unseen_flags()),
    }


def timer_seconds() -> float:
    """The smallest step of the clock that times are taken with, the cost of reading it included."""
    steps = [time.perf_counter_ns() for _ in range(2000)]
    return min(b - a for a, b in itertools.pairwise(steps) if b > a) * 1e-9


class _Steadiness:
    """Half a second of hashing: by how much the machine's speed moved, and what the hypervisor took meanwhile."""

    def __init__(self) -> None:
        data, windows = bytes(1 << 17), list[float]()
        stolen, start = _stolen_seconds(), time.perf_counter()
        for _ in range(_WINDOWS):
            times: list[float] = []
            until = time.perf_counter() + _PROBE_SECONDS / _WINDOWS
            while not times or time.perf_counter() < until:
                before = time.perf_counter()
                hashlib.sha256(data).digest()
                times.append(time.perf_counter() - before)
            windows.append(statistics.median(times))
        elapsed = time.perf_counter() - start
        self.spread = (max(windows) - min(windows)) / statistics.median(windows)
        self._stolen = None if stolen is None else (_stolen_seconds() or 0.0) - stolen
        self._available = elapsed * (os.cpu_count() or 1)

    @property
    def stolen_share(self) -> float:
        if self._stolen is None:
            raise Unanswered("the system does not count stolen time")
        return self._stolen / self._available


def _stolen_seconds() -> float | None:
    return getattr(psutil.cpu_times(), "steal", None)


# Takes a block twenty times and tells the faults of each of the last ten.  48 MiB: above 32 MiB (mallopt(3)) glibc
# never stops asking the kernel by itself.
_FAULTS = """
import resource
def faults():
    before = resource.getrusage(resource.RUSAGE_SELF).ru_minflt
    bytearray(48 << 20)
    return resource.getrusage(resource.RUSAGE_SELF).ru_minflt - before
print(sum([faults() for _ in range(20)][10:]) / 10)
"""


def faults_per_block() -> float:
    """Page faults of a 48 MiB block under the steady allocator; thousands without it."""
    if sys.platform != "linux":
        raise Unanswered("the steady allocator is glibc's")
    done = subprocess.run(
        [sys.executable, "-S", "-c", _FAULTS], env={**os.environ, **STEADY}, capture_output=True, text=True, check=True
    )
    return float(done.stdout)


def unseen_flags() -> list[str]:
    """Flags of samples that this system gives no evidence for."""
    evidence = {
        "preempted": Path("/proc/thread-self/schedstat").exists(),
        "page_faults": sys.platform != "win32",
        "stolen": Path("/proc/stat").exists(),
    }
    return [flag for flag, is_seen in evidence.items() if not is_seen]


def _versions(python: str, torch: str, numpy: str, harness: str) -> Judgement:
    fact = f"Python {python}, PyTorch {torch}, NumPy {numpy}, this harness {harness}"
    major, minor = (int(part) for part in torch.split(".")[:2])
    if (major, minor) < OLDEST_TORCH:
        return "problem", fact, f"install PyTorch {OLDEST_TORCH[0]}.{OLDEST_TORCH[1]} or later"
    return "ok", fact, ""


def _cores(cores: int, affinity: str) -> Judgement:
    fact = f"cores {affinity} of {cores}"
    if cores == 1 or affinity.isdigit():
        return "warning", fact, "with one core everything else runs between the samples: give it two or more"
    return "ok", fact, ""


def _quota(quota: float | str) -> Judgement:
    if quota == host.NONE:
        return "ok", "no CPU quota", ""
    return (
        "warning",
        f"the container may use {quota:g} cores' worth of time, then it is paused",
        "lift the quota (docker run without --cpus) and pin cores with --cpuset-cpus",
    )


def _governor(governor: str) -> Judgement:
    level: Level = "ok" if governor == "performance" else "warning"
    remedy = "" if level == "ok" else "sudo cpupower frequency-set -g performance"
    return level, f"frequency governor {governor}", remedy


def _turbo(turbo: bool) -> Judgement:
    if not turbo:
        return "ok", "turbo is off: the clock does not depend on heat and neighbours", ""
    return (
        "warning",
        "turbo is on: the clock moves with heat and neighbours",
        "switch it off in cpufreq for tight gates",
    )


def _load(load: float, cores: int) -> Judgement:
    fact = f"load {load:.2f} on {cores} cores"
    if load > _LOAD_PER_CORE * cores:
        return "warning", fact, "something else is running: stop it, or expect wide intervals"
    return "ok", fact, ""


def _stolen(share: float) -> Judgement:
    fact = f"the hypervisor took {share:.1%} of the time"
    if share > _STOLEN_SHARE:
        return "warning", fact, "use a dedicated or an idle host"
    return "ok", fact, ""


def _steadiness(spread: float, hypervisor: str) -> Judgement:
    where = "bare metal" if hypervisor == host.NONE else "a virtual machine"
    fact = f"speed moved by {spread:.0%} within {_PROBE_SECONDS:g} s, on {where}"
    if spread > _SPREAD:
        return (
            "warning",
            fact,
            "variants of one run stay fair, being interleaved; compare runs with many processes",
        )
    return "ok", fact, ""


def _memory(available: int, swapped: int) -> Judgement:
    fact = f"{available / _GIB:.1f} GiB free, {swapped / _MIB:.0f} MiB swapped out"
    if available < _GIB:
        return "problem", fact, "free some memory: cases will be skipped or killed"
    if swapped > 64 * _MIB:
        return "warning", fact, "what is swapped out comes back while timing: free memory, or swapoff -a"
    return "ok", fact, ""


def _allocator(libc: str, faults: float) -> Judgement:
    fact = f"{faults:.0f} page faults per 48 MiB block with the steady allocator of {libc}"
    if faults > 1:
        return "warning", fact, "samples will be flagged page_faults; a glibc system avoids them"
    return "ok", fact, ""


def _timer(seconds: float) -> Judgement:
    fact = f"the clock steps by {seconds * 1e9:.0f} ns"
    if seconds > 1e-6:
        return "problem", fact, "samples of 2 ms need a clock of 1 us or better: boot with a tsc clock source"
    return "ok", fact, ""


def _workers(can_fork: bool, unseen: str) -> Judgement:
    fact = "a fork server starts workers in milliseconds" if can_fork else "each worker imports torch anew (spawn)"
    flags = f"; flags not seen here: {unseen}" if unseen else ""
    if can_fork and not unseen:
        return "ok", fact, ""
    return "warning", fact + flags, "measure on Linux for more processes and all flags"


def _disk(free: int) -> Judgement:
    fact = f"{free / _GIB:.1f} GiB free for reports"
    if free < _LITTLE_DISK_BYTES:
        return "problem" if free < _NO_DISK_BYTES else "warning", fact, "free some space, or use --output elsewhere"
    return "ok", fact, ""


_HOST: tuple[tuple[str, tuple[str, ...], Callable[..., Judgement]], ...] = (
    ("versions", ("python", "torch", "numpy", "harness"), _versions),
    ("cores", ("cpu_cores", "affinity"), _cores),
    ("cpu quota", ("cpu_quota",), _quota),
    ("governor", ("cpu_governor",), _governor),
    ("turbo", ("cpu_turbo",), _turbo),
    ("load", ("load_1m", "cpu_cores"), _load),
    ("stolen time", ("stolen_share",), _stolen),
    ("steadiness", ("spread", "hypervisor"), _steadiness),
    ("memory", ("memory_available_bytes", "swap_used_bytes"), _memory),
    ("allocator", ("libc", "faults_per_block"), _allocator),
    ("timer", ("timer_seconds",), _timer),
    ("workers", ("can_fork", "unseen_flags"), _workers),
    ("disk", ("disk_free_bytes",), _disk),
)
