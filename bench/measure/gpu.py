"""One CUDA device: who it is, what torch and the driver say of it, and whether this PyTorch can run on it at all."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

from bench.errors import BenchError
from bench.measure import nvml
from bench.measure.reading import Reading, read

# torch: the module, or a scripted one in tests; only torch.cuda and torch.version are used here.

_COMPUTE_MODES = ("default", "exclusive thread", "prohibited", "exclusive process")  # nvmlComputeMode_t

FACTS: Mapping[str, nvml.Question] = {
    "driver": lambda n, _: n.nvmlSystemGetDriverVersion(),
    "gpu_mig": lambda n, h: bool(n.nvmlDeviceGetMigMode(h)[0]),
    "gpu_ecc": lambda n, h: bool(n.nvmlDeviceGetCurrentEccMode(h)),
    "gpu_power_limit_watts": lambda n, h: n.nvmlDeviceGetEnforcedPowerLimit(h) * 1e-3,
    "gpu_max_sm_clock_hz": lambda n, h: n.nvmlDeviceGetMaxClockInfo(h, n.NVML_CLOCK_SM) * 1e6,
    "gpu_max_memory_clock_hz": lambda n, h: n.nvmlDeviceGetMaxClockInfo(h, n.NVML_CLOCK_MEM) * 1e6,
    "gpu_persistence": lambda n, h: bool(n.nvmlDeviceGetPersistenceMode(h)),
    "gpu_compute_mode": lambda n, h: _COMPUTE_MODES[n.nvmlDeviceGetComputeMode(h)],
    "gpu_vbios": lambda n, h: n.nvmlDeviceGetVbiosVersion(h),
    "gpu_link": lambda n, h: f"gen{n.nvmlDeviceGetMaxPcieLinkGeneration(h)} x{n.nvmlDeviceGetMaxPcieLinkWidth(h)}",
}
"""What stays; names of ``bench.analysis.environment_facts``."""

VOLATILE: Mapping[str, nvml.Question] = {
    "gpu_temperature_celsius": lambda n, h: n.nvmlDeviceGetTemperature(h, n.NVML_TEMPERATURE_GPU),
    "gpu_sm_clock_hz": lambda n, h: n.nvmlDeviceGetClockInfo(h, n.NVML_CLOCK_SM) * 1e6,
    "gpu_ecc_uncorrected": lambda n, h: n.nvmlDeviceGetTotalEccErrors(
        h, n.NVML_MEMORY_ERROR_TYPE_UNCORRECTED, n.NVML_VOLATILE_ECC
    ),
}
"""What moves by itself."""


def find(torch: Any, torch_name: str) -> nvml.Gpu:
    """The driver's view of ``cuda:N``, found by UUID; a Gpu that answers nothing where there is none."""
    library, reason = nvml.load()
    if library is None:
        return nvml.Gpu(absent=reason)
    uuid = getattr(torch.cuda.get_device_properties(torch_name), "uuid", None)
    if uuid is None:
        return nvml.Gpu(absent="this PyTorch does not tell the GPU's UUID (2.5 and later do)")
    index = int(torch_name.partition(":")[2] or 0)
    return nvml.find(library, str(uuid), nvml.visible_entry(os.environ.get("CUDA_VISIBLE_DEVICES"), index))


def facts(torch: Any, torch_name: str, gpu: nvml.Gpu) -> dict[str, Reading]:
    """What defines the GPU: from torch where torch knows (right also for a MIG instance), else from the driver."""
    properties = torch.cuda.get_device_properties(torch_name)
    known = {
        "gpu": read(lambda: properties.name),
        "gpu_uuid": read(lambda: str(properties.uuid)),
        "gpu_memory_bytes": read(lambda: properties.total_memory),
        "gpu_capability": read(lambda: f"{properties.major}.{properties.minor}"),
        "gpu_sms": read(lambda: properties.multi_processor_count),
        "gpu_l2_bytes": read(lambda: properties.L2_cache_size),
    }
    return known | {key: gpu.read(question) for key, question in FACTS.items()}


def volatile(gpu: nvml.Gpu) -> dict[str, Reading]:
    """Temperature, clocks and what holds them back, memory in use, other processes: now."""
    found = {key: gpu.read(question) for key, question in VOLATILE.items()}
    found["gpu_memory_used_bytes"] = read(lambda: nvml.memory(gpu).used)
    found["gpu_clock_limits"] = nvml.clock_limits(gpu)
    found["gpu_other_processes"] = nvml.other_processes(gpu)
    return found


def unusable(torch: Any, torch_name: str) -> str:
    """Why this PyTorch cannot run on ``cuda:N``, with what to do; empty when it can.

    Asked before anything is measured, because the first kernel would only say "no kernel image is available".
    """
    if torch.version.cuda is None and getattr(torch.version, "hip", None) is None:
        return (
            f"this PyTorch ({torch.__version__}) is built without CUDA: "
            "install a CUDA build from pytorch.org, or use --device cpu"
        )
    if not torch.cuda.is_available():
        return "PyTorch finds no usable CUDA device: `nvidia-smi` must work, and CUDA_VISIBLE_DEVICES must not hide it"
    index, count = int(torch_name.partition(":")[2] or 0), torch.cuda.device_count()
    if index >= count:
        return f"there is no {torch_name}: this machine shows {count} CUDA device{'s' * (count != 1)}, from cuda:0"
    capability, built = torch.cuda.get_device_capability(torch_name), tuple(torch.cuda.get_arch_list())
    if built and not runs_on(built, capability):
        return (
            f"{torch_name} ({torch.cuda.get_device_name(torch_name)}) is sm_{capability[0]}{capability[1]}, but this "
            f"PyTorch ({torch.__version__}) is built for {', '.join(built)}: install a build for it (pytorch.org)"
        )
    return ""


def check(torch: Any, torch_name: str) -> None:
    """Raise BenchError with the sentence where this PyTorch cannot run on the device."""
    reason = unusable(torch, torch_name)
    if reason:
        raise BenchError(reason)


def runs_on(built: Iterable[str], capability: tuple[int, int]) -> bool:
    """Whether code built for these architectures runs on a device (CUDA C++ programming guide, compute capability).

    ``sm_XY`` is machine code: same major, minor not above the device's; ``compute_XY`` is PTX: anything not above the
    device; a suffix ``a`` binds to exactly that device, ``f`` to its family (same major).
    """
    for name in built:
        match = re.fullmatch(r"(sm|compute)_(\d+)(\d)([af]?)", name)
        if match is None:
            continue
        kind, target, suffix = match[1], (int(match[2]), int(match[3])), match[4]
        if suffix == "a":
            fits = target == capability
        elif kind == "compute" and not suffix:
            fits = target <= capability
        else:
            fits = target[0] == capability[0] and target <= capability
        if fits:
            return True
    return False
