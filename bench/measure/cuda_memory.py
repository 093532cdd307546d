"""Bytes on a GPU: what one call needs by torch's allocator (exact) and by the driver, and what is free."""

from __future__ import annotations

import gc
from collections.abc import Callable, Mapping
from typing import Any

from bench.measure import nvml

# Left to contexts of other workers, library workspaces and fragmentation.
_SPARED_SHARE = 0.1


def peak(cuda: Any, torch_name: str, driver: nvml.Gpu, call: Callable[[], object]) -> Mapping[str, float]:
    """Bytes above what was there before.

    ``reserved`` and ``nvml`` by the first call, libraries and algorithm searches with their workspaces included;
    ``peak``, exact, by a second call, when these are in place.  ``nvml`` only where the driver tells.
    """
    _settle(cuda)
    held, driver_held = cuda.memory_reserved(torch_name), nvml.used_bytes(driver)
    cuda.reset_peak_memory_stats(torch_name)
    _call(cuda, call)
    found = {"reserved": float(cuda.max_memory_reserved(torch_name) - held)}
    driver_holds = nvml.used_bytes(driver)
    if driver_held is not None and driver_holds is not None:
        found["nvml"] = float(max(0, driver_holds - driver_held))
    before = cuda.memory_allocated(torch_name)
    cuda.reset_peak_memory_stats(torch_name)
    _call(cuda, call)
    return {"peak": float(cuda.max_memory_allocated(torch_name) - before), **found}


def _settle(cuda: Any) -> None:
    """Give back what earlier calls left cached, so that growth shows."""
    gc.collect()
    cuda.synchronize()
    cuda.empty_cache()


def _call(cuda: Any, call: Callable[[], object]) -> None:
    kept = call()
    cuda.synchronize()
    del kept
    gc.collect()


def free_bytes(cuda: Any, torch_name: str) -> int:
    """What may be allocated without harm: free on the device and cached by torch, less a tenth."""
    free, _ = cuda.mem_get_info(torch_name)
    cached = cuda.memory_reserved(torch_name) - cuda.memory_allocated(torch_name)
    return int((free + cached) * (1 - _SPARED_SHARE))
