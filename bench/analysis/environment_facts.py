"""What each fact of an environment means to a comparison: defines the machine, is under test, or is context.

Machine facts must agree; what is under test may differ and is printed on top as "what changed";
any other difference makes two reports incomparable until it is allowed.  A note is printed and never decides.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

FactKind = Literal["machine", "under test", "context", "note"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """How a fact is judged and what a reader sees it called; ``only`` limits it to reports of one kind of device."""

    kind: FactKind
    label: str
    only: str = ""


def _facts(kind: FactKind, labels: dict[str, str], only: str = "") -> dict[str, Fact]:
    return {key: Fact(kind=kind, label=label, only=only) for key, label in labels.items()}


FACTS: dict[str, Fact] = {
    **_facts(
        "under test",
        {
            "torch": "PyTorch",
            "torch_git": "PyTorch commit",
            "torch_arch_list": "PyTorch's GPU architectures",
            "blas": "BLAS",
            "onednn": "oneDNN",
            "cuda": "CUDA",
            "cudnn": "cuDNN",
            "driver": "driver",
            "allow_tf32": "TF32 in convolutions",
            "matmul_precision": "fp32 matmul precision",
        },
    ),
    **_facts(
        "machine",
        {
            "os": "operating system",
            "architecture": "architecture",
            "cpu": "CPU",
            "cpu_cores": "CPU cores",
            "cpu_cores_physical": "physical cores",
            "affinity": "cores this process may use",
            "cpu_quota": "CPU quota of the container",
            "memory_bytes": "memory",
            "numa_nodes": "NUMA nodes",
        },
    ),
    **_facts(
        "machine",
        {
            "gpu": "GPU",
            "gpu_uuid": "GPU UUID",
            "gpu_memory_bytes": "GPU memory",
            "gpu_capability": "compute capability",
            "gpu_sms": "multiprocessors",
            "gpu_l2_bytes": "GPU L2 cache",
            "gpu_mig": "MIG",
            "gpu_ecc": "ECC",
            "gpu_power_limit_watts": "GPU power limit",
            "gpu_max_sm_clock_hz": "highest SM clock",
            "gpu_max_memory_clock_hz": "highest GPU memory clock",
        },
        only="cuda",
    ),
    **_facts(
        "context",
        {
            "python": "Python",
            "libc": "C library",
            "kernel": "kernel",
            "hypervisor": "virtual machine",
            "cpu_capability": "vector instructions PyTorch uses",
            "cpu_governor": "CPU governor",
            "cpu_turbo": "CPU turbo",
            "huge_pages": "transparent huge pages",
            "threads": "PyTorch threads",
            "interop_threads": "PyTorch inter-op threads",
            "openmp": "OpenMP",
            "reference": "reference",
        },
    ),
    **_facts("context", {"gpu_compute_mode": "compute mode", "gpu_persistence": "persistence mode"}, only="cuda"),
    **_facts(
        "note",
        {
            "host": "host",
            "container": "container",
            "numpy": "NumPy",
            "harness": "this harness",
            "metronome": "metronome",
            "addresses": "addresses of memory",
            "device": "device",
            "gpu_vbios": "GPU firmware",
            "gpu_link": "GPU link",
        },
    ),
}


# What every Python on a machine has in common, beside the facts of the machine itself.
_OF_THE_SYSTEM = frozenset(
    {
        *("driver", "kernel", "hypervisor", "cpu_governor", "cpu_turbo", "huge_pages"),
        *("gpu_compute_mode", "gpu_persistence"),
    }
)


def is_shared(key: str) -> bool:
    """Whether a fact is of the machine and its system, so that what is timed side by side there has it in common."""
    return fact(key).kind == "machine" or key in _OF_THE_SYSTEM


def fact(key: str) -> Fact:
    """How to judge a fact.  Environment variables (``env.NAME``) and facts from other versions are context."""
    name = key.removeprefix("env.")
    return FACTS.get(key) or Fact(kind="context", label=f"${name}" if name != key else key)
