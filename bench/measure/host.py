"""The processor, the system and its limits, as facts.  Linux tells them all; elsewhere some are None with a reason."""

from __future__ import annotations

import os
import platform
import ssl
import subprocess
import sys
from collections.abc import Callable, Collection, Mapping
from pathlib import Path
from typing import Any

from bench.measure.reading import Reading, Unanswered, read
from bench.model import Value

ROOT = Path("/")
"""Where /proc and /sys are looked for."""

# Sizes of the reference blocks, 0.04-0.15 ms each: the copy is larger than a core's own cache.
HASHED_BYTES, COPIED_BYTES, LOOP_ROUNDS = 1 << 16, 1 << 21, 1500
# Two boots of one machine differ by some MiB of what the kernel keeps for itself.
_MEMORY_GRAIN_BYTES = 1 << 28
NONE = "none"


def _psutil() -> Any:
    """Psutil, which a worker of another environment need not have: its facts are then missing, with that reason."""
    import psutil

    return psutil


def _text(path: str) -> str:
    """A file of /proc or /sys.  Raises Unanswered where there is no Linux to ask."""
    if sys.platform != "linux":
        raise Unanswered(f"{platform.system()} does not tell")
    return (ROOT / path).read_text(encoding="utf-8", errors="replace").strip()


def _exists(path: str) -> bool:
    return (ROOT / path).exists()


def cpu_model() -> str:
    """The processor's name; on ARM, where the kernel gives none, the numbers of its maker and part."""
    if sys.platform == "darwin":
        command = ["/usr/sbin/sysctl", "-n", "machdep.cpu.brand_string"]
        return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
    if sys.platform != "linux":
        return platform.processor()
    pairs = [line.partition(":") for line in _text("proc/cpuinfo").splitlines()]
    facts = {key.strip(): value.strip() for key, _, value in reversed(pairs)}
    numbers = [facts[key] for key in ("CPU implementer", "CPU part") if key in facts]
    return facts.get("model name") or " ".join(["CPU", *numbers, platform.machine()])


def affinity() -> Collection[int]:
    """The cores this process may use."""
    if not hasattr(os, "sched_getaffinity"):
        raise Unanswered(f"{platform.system()} does not tell")
    return os.sched_getaffinity(0)


def ranges(numbers: Collection[int]) -> str:
    """``{0, 1, 2, 5}`` -> ``0-2,5``, as taskset writes it."""
    spans: list[list[int]] = []
    for number in sorted(numbers):
        if spans and number == spans[-1][-1] + 1:
            spans[-1] = [spans[-1][0], number]
        else:
            spans.append([number, number])
    return ",".join(str(low) if low == high else f"{low}-{high}" for low, high in spans)


def governor() -> str:
    """Frequency governors in use, of all cores."""
    files = sorted((ROOT / "sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_governor"))
    if not files:
        raise Unanswered("no cpufreq: the frequency is the firmware's, or the hypervisor's, business")
    return ",".join(sorted({file.read_text(encoding="ascii").strip() for file in files}))


def turbo() -> bool:
    """Whether cores may clock above their base frequency."""
    if _exists("sys/devices/system/cpu/intel_pstate/no_turbo"):
        return _text("sys/devices/system/cpu/intel_pstate/no_turbo") == "0"
    if _exists("sys/devices/system/cpu/cpufreq/boost"):
        return _text("sys/devices/system/cpu/cpufreq/boost") == "1"
    raise Unanswered("no cpufreq: the frequency is the firmware's, or the hypervisor's, business")


def quota() -> Value:
    """Cores' worth of time the container may use (cgroup v2, then v1), or ``none`` without a limit."""
    own = next((line[3:] for line in _text("proc/self/cgroup").splitlines() if line.startswith("0::")), "/")
    for folder in dict.fromkeys((f"sys/fs/cgroup{own.rstrip('/')}", "sys/fs/cgroup")):
        if _exists(f"{folder}/cpu.max"):
            most, period = _text(f"{folder}/cpu.max").split()
            return NONE if most == "max" else int(most) / int(period)
    if _exists("sys/fs/cgroup/cpu/cpu.cfs_quota_us"):
        most_us = int(_text("sys/fs/cgroup/cpu/cpu.cfs_quota_us"))
        return NONE if most_us < 0 else most_us / int(_text("sys/fs/cgroup/cpu/cpu.cfs_period_us"))
    return NONE


def hypervisor() -> str:
    """Who runs this machine if it is a virtual one, as far as it says; ``none`` on bare metal."""
    if "hypervisor" not in _text("proc/cpuinfo").split():
        return NONE
    for name in ("sys_vendor", "product_name"):
        if _exists(f"sys/class/dmi/id/{name}"):
            return _text(f"sys/class/dmi/id/{name}")
    return "unnamed"


def container() -> str:
    """What kind of container this is, by the marks that its makers leave; ``none`` without."""
    if "KUBERNETES_SERVICE_HOST" in os.environ:
        return "kubernetes"
    marks = {".dockerenv": "docker", "run/.containerenv": "podman"}
    return next((kind for mark, kind in marks.items() if _exists(mark)), os.environ.get("container", NONE))  # noqa: SIM112


def huge_pages() -> str:
    """The setting of transparent huge pages: the word in brackets."""
    return _text("sys/kernel/mm/transparent_hugepage/enabled").partition("[")[2].partition("]")[0]


def numa_nodes() -> int:
    """Memory nodes; 1 where the kernel lists none."""
    _text("proc/cpuinfo")
    return max(1, len(list((ROOT / "sys/devices/system/node").glob("node[0-9]*"))))


def libc() -> str:
    """Name and version of the C library, whose allocator and maths every CPU number passes through."""
    name = " ".join(platform.libc_ver())
    if not name.strip():
        raise Unanswered("the C library does not say its name")
    return name


def addresses() -> str:
    """Whether this process lies at the same addresses each time, or at random ones."""
    return "fixed" if int(_text("proc/self/personality"), 16) & 0x0040000 else "random"


def metronome() -> str:
    """Fingerprint of the reference blocks: what they do, and by what interpreter, hash library and processor.

    Comparable only when equal.
    """
    blocks = f"warm, calm: hash {HASHED_BYTES >> 10} KiB, copy {COPIED_BYTES >> 20} MiB, loop {LOOP_ROUNDS}"
    python = f"{platform.python_implementation()} {platform.python_version()}"
    return " | ".join((blocks, python, ssl.OPENSSL_VERSION, read(cpu_model).value or platform.machine()))  # type: ignore[arg-type]


FACTS: Mapping[str, Callable[[], Value]] = {
    "host": platform.node,
    "os": platform.system,
    "kernel": platform.release,
    "architecture": platform.machine,
    "libc": libc,
    "hypervisor": hypervisor,
    "container": container,
    "cpu": cpu_model,
    "cpu_cores": lambda: _psutil().cpu_count(),
    "cpu_cores_physical": lambda: _psutil().cpu_count(logical=False),
    "cpu_governor": governor,
    "cpu_turbo": turbo,
    "cpu_quota": quota,
    "affinity": lambda: ranges(affinity()),
    "numa_nodes": numa_nodes,
    "memory_bytes": lambda: _psutil().virtual_memory().total // _MEMORY_GRAIN_BYTES * _MEMORY_GRAIN_BYTES,
    "huge_pages": huge_pages,
    "addresses": addresses,
    "python": platform.python_version,
    "metronome": metronome,
}
"""What stays while the machine is up and nobody changes its settings."""

VOLATILE: Mapping[str, Callable[[], Value]] = {
    "load_1m": lambda: _psutil().getloadavg()[0],
    "memory_available_bytes": lambda: _psutil().virtual_memory().available,
    "swap_used_bytes": lambda: _psutil().swap_memory().used,
}
"""What moves by itself, and is in no environment."""


def readings(questions: Mapping[str, Callable[[], Value]]) -> dict[str, Reading]:
    """Ask all of them."""
    return {key: read(question) for key, question in questions.items()}
