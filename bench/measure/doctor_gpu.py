"""What each GPU can measure and what is wrong with it, seen by torch and by the driver."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch as this_torch

from bench.measure import gpu, nvml
from bench.measure.finding import Finding, Judgement, judge
from bench.measure.reading import Reading

# NVIDIA's data-centre GPUs begin to slow down within some degrees of this.
_HOT_CELSIUS = 83
_GIB = 2**30


def diagnose(torch: Any = this_torch) -> tuple[Finding, ...]:
    """The findings of every CUDA device, or the one that explains why there is none."""
    reason = gpu.unusable(torch, "cuda:0")
    if reason:
        return (_without_cuda(reason),)
    names = [f"cuda:{index}" for index in range(torch.cuda.device_count())]
    return tuple(finding for name in names for finding in device(torch, name))


def _without_cuda(reason: str) -> Finding:
    """A GPU that torch cannot use is a problem; a machine without one measures on the CPU."""
    library, absent = nvml.load()
    seen = nvml.all_gpus(library) if library is not None else ()
    names = [str(one.read(lambda n, h: n.nvmlDeviceGetName(h)).value) for one in seen if one.handles]
    if names:
        return Finding(topic="cuda", level="problem", fact=f"{', '.join(names)}, but {reason}", remedy=_after(reason))
    return Finding(topic="cuda", level="ok", fact=f"no GPU is seen ({absent or reason}): measuring on the CPU")


def _after(reason: str) -> str:
    return reason.partition(": ")[2] or reason


def device(torch: Any, name: str) -> list[Finding]:
    """The findings of one device."""
    reason = gpu.unusable(torch, name)
    if reason:
        return [Finding(topic=f"{name} build", level="problem", fact=reason, remedy=_after(reason))]
    try:
        torch.cuda.set_device(name)
        torch.cuda.synchronize()  # a context of our own, by which our process id is told from others'
    except RuntimeError as error:  # torch's own errors are RuntimeErrors
        fact = f"it cannot be used: {str(error).partition(chr(10))[0]}"
        remedy = "another process may hold it alone or fill its memory: nvidia-smi says"
        return [Finding(topic=f"{name} context", level="problem", fact=fact, remedy=remedy)]
    one = gpu.find(torch, name)
    readings = {**gpu.facts(torch, name, one), **gpu.volatile(one), "driver_absent": Reading(value=one.absent)}
    readings["build"] = Reading(value=f"PyTorch {torch.__version__} is built for it")
    return [judge(f"{name} {topic}", keys, verdict, readings) for topic, keys, verdict in _GPU]


def _identity(name: str, capability: str, memory: int, build: str) -> Judgement:
    return "ok", f"{name}, sm_{capability.replace('.', '')}, {memory / _GIB:.0f} GiB; {build}", ""


def _driver(absent: str) -> Judgement:
    if absent:
        fact = f"the driver cannot be asked ({absent})"
        return "warning", fact, "throttling and other tenants go unseen: pip install nvidia-ml-py, and mount the driver"
    return "ok", "the driver answers (NVML, by UUID)", ""


def _tenants(others: int) -> Judgement:
    if others:
        fact = f"{others} other process{'es' * (others != 1)} on the GPU"
        return "warning", fact, "samples while they work will be flagged contended: stop them (nvidia-smi lists them)"
    return "ok", "no other process on the GPU", ""


def _persistence(persistent: bool) -> Judgement:
    if persistent:
        return "ok", "persistence mode is on", ""
    return "warning", "persistence mode is off: the driver unloads between processes", "sudo nvidia-smi -pm 1"


def _compute_mode(mode: str) -> Judgement:
    if mode == "default":
        return "ok", "several processes may share the GPU", ""
    return "problem", f"compute mode is {mode}: workers cannot take turns", "sudo nvidia-smi -c DEFAULT"


def _clocks(limits: str, now: float, highest: float) -> Judgement:
    fact = f"SM clock {now / 1e6:.0f} of {highest / 1e6:.0f} MHz"
    limits = ", ".join(limit for limit in limits.split(", ") if limit != "clock settings")  # somebody locked it: good
    if limits:
        remedy = "lock the clocks below the limit (nvidia-smi -lgc), or cool it; samples will be flagged throttled"
        return "warning", f"{fact}, held back by: {limits}", remedy
    return "ok", f"{fact}, nothing holds it back", ""


def _temperature(celsius: int) -> Judgement:
    if celsius >= _HOT_CELSIUS:
        return "warning", f"{celsius} °C", "let it cool: near the limit clocks fall"
    return "ok", f"{celsius} °C", ""


def _errors(ecc: bool, uncorrected: int) -> Judgement:
    fact = f"ECC {'on' if ecc else 'off'}, {uncorrected} uncorrected errors since the driver was loaded"
    return ("problem", fact, "results may be wrong: see nvidia-smi -q -d ECC") if uncorrected else ("ok", fact, "")


def _mig(mig: bool) -> Judgement:
    if mig:
        return "warning", "MIG is on: neighbours share power and clocks", "compare only with the same MIG profile"
    return "ok", "MIG is off", ""


def _memory(used: int, total: int) -> Judgement:
    fact = f"{used / _GIB:.1f} of {total / _GIB:.0f} GiB in use"
    if used > total / 2:
        return "warning", fact, "large points will be skipped: free the memory"
    return "ok", fact, ""


_GPU: tuple[tuple[str, tuple[str, ...], Callable[..., Judgement]], ...] = (
    ("device", ("gpu", "gpu_capability", "gpu_memory_bytes", "build"), _identity),
    ("driver", ("driver_absent",), _driver),
    ("tenants", ("gpu_other_processes",), _tenants),
    ("memory", ("gpu_memory_used_bytes", "gpu_memory_bytes"), _memory),
    ("persistence", ("gpu_persistence",), _persistence),
    ("compute mode", ("gpu_compute_mode",), _compute_mode),
    ("clocks", ("gpu_clock_limits", "gpu_sm_clock_hz", "gpu_max_sm_clock_hz"), _clocks),
    ("temperature", ("gpu_temperature_celsius",), _temperature),
    ("ecc", ("gpu_ecc", "gpu_ecc_uncorrected"), _errors),
    ("mig", ("gpu_mig",), _mig),
)
