"""A torch with one scripted GPU: a host clock, one stream, an L2 cache, an allocator and a driver, all exact.

Launching costs the host time and puts work on the stream; nothing waits for real.  What the harness says of such a GPU
can be compared with what was scripted, to the nanosecond.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import SimpleNamespace
from typing import Any

LAUNCH_SECONDS, EVENT_SECONDS = 5e-6, 1e-6
QUEUE_LENGTH = 1024
BYTES_PER_SECOND = 4e12
L2_BYTES = 50 << 20


@dataclass
class ScriptedEvent:
    """An event of the scripted profiler: a kernel."""

    begin: float
    seconds: float

    def start_ns(self) -> float:
        return self.begin * 1e9

    def duration_ns(self) -> float:
        return self.seconds * 1e9

    def device_type(self) -> str:
        return "CUDA"


@dataclass
class ScriptedGpu:
    """The machine: ``now`` is the host's clock, ``idle_at`` when the stream has done what is on it."""

    now: float = 0.0
    idle_at: float = 0.0
    clock_hz: float = 2e9
    launch_seconds: float = LAUNCH_SECONDS
    gap_seconds: float = 0.0  # between back-to-back kernels
    queue_length: int = QUEUE_LENGTH
    l2_bytes: int = L2_BYTES
    bytes_per_second: float = BYTES_PER_SECOND
    counts: bool = True  # whether the allocator counts its calls to the driver
    kernels: list[ScriptedEvent] = field(default_factory=list)  # what a profiler sees
    resident: dict[str, bool] = field(default_factory=dict)  # what the L2 holds -> whether it is dirty
    stats: dict[str, int] = field(default_factory=lambda: {"num_device_alloc": 0, "num_alloc_retries": 0})
    allocated: int = 0
    reserved: int = 0
    high_allocated: int = 0
    high_reserved: int = 0
    pending: list[float] = field(default_factory=list)
    launches: int = 0
    sums: int = 0

    def launch(self, seconds: float, host_seconds: float | None = None) -> None:
        """Put a kernel on the stream; the host waits when the queue is full."""
        self.now += self.launch_seconds if host_seconds is None else host_seconds
        self.pending = [end for end in self.pending if end > self.now]
        if len(self.pending) >= self.queue_length:
            self.now = self.pending[-self.queue_length]
        begin = max(self.idle_at + self.gap_seconds, self.now)
        self.idle_at = begin + seconds
        self.kernels.append(ScriptedEvent(begin, seconds))
        self.pending.append(self.idle_at)
        self.launches += 1

    def synchronize(self) -> None:
        self.now = max(self.now, self.idle_at)

    def touch(self, name: str, size: int, *, dirty: bool) -> float:
        """Stream a buffer through the L2; seconds it takes, writing back included.

        What is resident is read four times faster; more than the L2 holds drives all out, and writes dirty lines back.
        """
        if name in self.resident and size < self.l2_bytes:
            return size / self.bytes_per_second / 4
        seconds = size / self.bytes_per_second
        if size >= self.l2_bytes:
            seconds += self.l2_bytes / self.bytes_per_second * any(self.resident.values())
            self.resident = {}
        elif any(self.resident.values()):
            seconds *= 2
        self.resident[name] = dirty
        return seconds

    def allocate(self, size: int) -> None:
        """From what is cached, else from the driver."""
        self.allocated += size
        self.high_allocated = max(self.high_allocated, self.allocated)
        if self.allocated > self.reserved:
            self.reserved = self.allocated
            self.stats["num_device_alloc"] = self.stats.get("num_device_alloc", 0) + self.counts
        self.high_reserved = max(self.high_reserved, self.reserved)

    def free(self, size: int) -> None:
        self.allocated -= size


@dataclass
class Kernel:
    """A subject: ``block(n)`` launches n times ``launches`` kernels; slower when its data is not in the L2."""

    gpu: ScriptedGpu
    hot_seconds: float
    cold_seconds: float
    host_seconds: float = LAUNCH_SECONDS
    launches: int = 1
    also: Callable[[], object] = lambda: None

    def __call__(self, calls: int) -> None:
        for _ in range(calls):
            self.also()
            is_cold = "subject" not in self.gpu.resident
            dirty = any(is_dirty for name, is_dirty in self.gpu.resident.items() if name != "subject")
            extra = self.gpu.l2_bytes / self.gpu.bytes_per_second * (is_cold and dirty)
            for _ in range(self.launches):
                seconds = self.cold_seconds if is_cold else self.hot_seconds
                self.gpu.launch((seconds + extra) / self.launches, self.host_seconds)
            self.gpu.resident = {"subject": True}


class Event:
    """A scripted ``torch.cuda.Event``."""

    def __init__(self, gpu: ScriptedGpu) -> None:
        self._gpu, self.at = gpu, float("nan")

    def record(self) -> None:
        self._gpu.now += EVENT_SECONDS
        self.at = max(self._gpu.now, self._gpu.idle_at)

    def query(self) -> bool:
        return self._gpu.now >= self.at

    def elapsed_time(self, other: Event) -> float:
        assert self._gpu.now >= other.at, "asked before it happened"
        return (other.at - self.at) * 1e3


class Buffer:
    """A scripted tensor on the GPU."""

    def __init__(self, gpu: ScriptedGpu, name: str, count: int, width: int) -> None:
        self.gpu, self.name, self.nbytes, self.width = gpu, name, count * width, width
        gpu.allocate(self.nbytes)

    def __del__(self) -> None:
        self.gpu.free(self.nbytes)

    def fill_(self, _: float) -> None:
        self.gpu.launch(self.gpu.touch(self.name, self.nbytes, dirty=True))

    def copy_(self, source: Buffer) -> None:
        self.gpu.launch(self.gpu.touch(self.name, 2 * source.nbytes, dirty=True))

    def to(self, dtype: str) -> Buffer:
        return Buffer(self.gpu, self.name, self.nbytes // self.width, 2 if dtype == "bfloat16" else 4)


class Cudart:
    """``torch.cuda`` of a scripted GPU."""

    OutOfMemoryError = MemoryError

    def __init__(self, gpu: ScriptedGpu, **properties: Any) -> None:
        self.gpu = gpu
        self.properties = SimpleNamespace(
            **{
                "name": "Scripted GPU",
                "uuid": "11111111-2222-3333-4444-555555555555",
                "total_memory": 80 << 30,
                "major": 9,
                "minor": 0,
                "multi_processor_count": 132,
                "L2_cache_size": L2_BYTES,
                **properties,
            }
        )
        self.architectures: list[str] = ["sm_80", "sm_90", "compute_90"]
        self.available = True

    def Event(self, *, enable_timing: bool) -> Event:  # noqa: N802
        assert enable_timing
        return Event(self.gpu)

    def _sleep(self, cycles: int) -> None:
        assert isinstance(cycles, int)
        self.gpu.launch(cycles / self.gpu.clock_hz)

    def synchronize(self) -> None:
        self.gpu.synchronize()

    def is_available(self) -> bool:
        return self.available

    def device_count(self) -> int:
        return 1 if self.available else 0

    def set_device(self, _: str) -> None: ...

    def get_device_properties(self, _: str) -> SimpleNamespace:
        return self.properties

    def get_device_capability(self, _: str) -> tuple[int, int]:
        return self.properties.major, self.properties.minor

    def get_device_name(self, _: str) -> str:
        return str(self.properties.name)

    def get_arch_list(self) -> list[str]:
        return self.architectures

    def memory_stats(self, _: str) -> Mapping[str, int]:
        return self.gpu.stats

    def memory_allocated(self, _: str) -> int:
        return self.gpu.allocated

    def memory_reserved(self, _: str) -> int:
        return self.gpu.reserved

    def max_memory_allocated(self, _: str) -> int:
        return self.gpu.high_allocated

    def max_memory_reserved(self, _: str) -> int:
        return self.gpu.high_reserved

    def reset_peak_memory_stats(self, _: str) -> None:
        self.gpu.high_allocated, self.gpu.high_reserved = self.gpu.allocated, self.gpu.reserved

    def empty_cache(self) -> None:
        self.gpu.reserved = self.gpu.allocated

    def mem_get_info(self, _: str) -> tuple[int, int]:
        return self.properties.total_memory - self.gpu.reserved, self.properties.total_memory


class ScriptedTorch:
    """As much of ``torch`` as the CUDA path uses.  ``flops``: FLOP/s by (dtype, precision)."""

    float32, bfloat16, int32, int64 = "float32", "bfloat16", "int32", "int64"
    __version__ = "2.11.0+cu130"
    version = SimpleNamespace(cuda="13.0", hip=None, git_version="0" * 40)

    def __init__(self, gpu: ScriptedGpu, **properties: Any) -> None:
        self.gpu, self.cuda = gpu, Cudart(gpu, **properties)
        self.backends = SimpleNamespace(
            cudnn=SimpleNamespace(allow_tf32=True, version=lambda: 91002),
            cpu=SimpleNamespace(get_cpu_capability=lambda: "AVX2"),
        )
        self.autograd = SimpleNamespace(DeviceType=SimpleNamespace(CUDA="CUDA"))
        self.profiler = SimpleNamespace(profile=self._profile, ProfilerActivity=SimpleNamespace(CUDA="CUDA"))
        self.precision = "highest"
        self.flops = {("float32", "highest"): 60e12, ("float32", "high"): 400e12, ("bfloat16", "highest"): 800e12}
        self.buffers = 0

    @contextlib.contextmanager
    def _profile(self, *, activities: list[str]) -> Iterator[SimpleNamespace]:
        """``torch.profiler.profile``: afterwards it tells of the kernels in between, in no order."""
        assert activities == ["CUDA"]
        begin, told = len(self.gpu.kernels), list[ScriptedEvent]()
        yield SimpleNamespace(profiler=SimpleNamespace(kineto_results=SimpleNamespace(events=lambda: told)))
        told += reversed(self.gpu.kernels[begin:])

    def zeros(self, shape: int | tuple[int, ...], *, dtype: str = "float32", device: str) -> Buffer:
        assert device.startswith("cuda")
        self.buffers += 1
        sizes: Iterable[int] = (shape,) if isinstance(shape, int) else shape
        count = 1
        for size in sizes:
            count *= size
        return Buffer(self.gpu, f"buffer {self.buffers}", count, 8 if dtype == "int64" else 4)

    def rand(self, *shape: int, device: str) -> Buffer:
        return self.zeros(shape, device=device)

    randn = rand

    def empty_like(self, other: Buffer) -> Buffer:
        return self.zeros(other.nbytes // other.width, device="cuda:0")

    def sum(self, source: Buffer, *, dim: int, out: Buffer) -> None:
        assert dim == 0
        assert source.width == out.width, "ATen copies the whole source to the type of the result first"
        if self.gpu.sums == 0:
            self.gpu.allocate(1)  # a workspace, at the first of them
        self.gpu.sums += 1
        self.gpu.launch(self.gpu.touch(source.name, source.nbytes, dirty=False))

    def mm(self, a: Buffer, b: Buffer) -> None:
        assert a.width == b.width
        size = round((a.nbytes / a.width) ** 0.5)
        dtype = "bfloat16" if a.width == 2 else "float32"
        self.gpu.launch(2 * size**3 / self.flops[dtype, self.precision if dtype == "float32" else "highest"])

    def get_float32_matmul_precision(self) -> str:
        return self.precision

    def set_float32_matmul_precision(self, precision: str) -> None:
        self.precision = precision
