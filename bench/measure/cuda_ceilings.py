"""The roofs of this GPU as PyTorch reaches them now: copy bandwidth, and matmul by precision."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from typing import Any

from bench.measure.stream import Stream

# Large against every L2 cache and against launching: 1 GiB each way, and matmuls of 8192 (1.1 TFLOP).
_COPY_BYTES = 1 << 30
_SIZES = (8192, 4096, 2048, 1024)
_REPEATS = 5


def measure(torch: Any, torch_name: str, stream: Stream) -> dict[str, float]:
    """``bytes`` (read + written, B/s), ``flops(fp32)``, ``flops(tf32)``, ``flops(bf16)`` and ``flops`` (FLOP/s).

    ``flops`` is the roof over fp32 tensors as this process is set: TF32's where convolutions may use it.  Inputs are
    random: zeros take less power, so they run faster under a power cap.
    """
    found = {"bytes": copy_rate(torch, torch_name, stream)}
    free, _ = torch.cuda.mem_get_info(torch_name)
    has_tensor_cores = torch.cuda.get_device_capability(torch_name) >= (8, 0)
    size = next((n for n in _SIZES if 16 * n * n < free // 2), _SIZES[-1])
    with _matmul_precision(torch, "highest"):
        found["flops(fp32)"] = _matmul(torch, torch_name, stream, size, torch.float32)
    if has_tensor_cores:
        with _matmul_precision(torch, "high"):
            found["flops(tf32)"] = _matmul(torch, torch_name, stream, size, torch.float32)
        found["flops(bf16)"] = _matmul(torch, torch_name, stream, size, torch.bfloat16)
    is_tf32 = has_tensor_cores and torch.backends.cudnn.allow_tf32
    found["flops"] = found["flops(tf32)" if is_tf32 else "flops(fp32)"]
    torch.cuda.empty_cache()
    return found


def copy_rate(torch: Any, torch_name: str, stream: Stream) -> float:
    """Bytes read and written per second by a large copy."""
    free, _ = torch.cuda.mem_get_info(torch_name)
    size_bytes = min(_COPY_BYTES, free // 8)
    source = torch.rand(size_bytes // 4, device=torch_name)
    target = torch.empty_like(source)
    return float(2 * source.nbytes / _best(stream, lambda: target.copy_(source)))


def _matmul(torch: Any, torch_name: str, stream: Stream, size: int, dtype: Any) -> float:
    a, b = (torch.randn(size, size, device=torch_name).to(dtype) for _ in range(2))
    return 2 * size**3 / _best(stream, lambda: torch.mm(a, b))


def _best(stream: Stream, call: Callable[[], object]) -> float:
    """Device seconds of the fastest of some calls, after two: one loads what the next one needs to be timed."""
    call()
    host = stream.enqueue_seconds(call)
    spans = (stream.held(lambda hold: [stream.held_span(call, hold)], host)[0] for _ in range(_REPEATS))
    return min(span.seconds for (span,) in spans)


@contextlib.contextmanager
def _matmul_precision(torch: Any, precision: str) -> Iterator[None]:
    before = torch.get_float32_matmul_precision()
    torch.set_float32_matmul_precision(precision)
    try:
        yield
    finally:
        torch.set_float32_matmul_precision(before)
