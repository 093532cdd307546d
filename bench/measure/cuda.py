"""A CUDA device: device time with a cold L2 as the headline, beside it hot, enqueue and wall; flags with evidence."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import torch as this_torch

from bench.measure import cuda_ceilings, cuda_memory, gpu, nvml
from bench.measure.device import Block, Sample
from bench.measure.stream import METRONOME_CYCLES, Flush, Span, Stream
from bench.model import Flag

# CUDA queues about a thousand launches, then the host waits for the GPU (`scripts/gpu_method.py` measures it).  At
# some 5 us a launch this much enqueuing stays well below.
LONGEST_BATCH_SECONDS = 2e-3
# What counts as throttled.
SLOWED_CLOCK, THROTTLED_SHARE = 0.9, 0.05
_TENANTS_EVERY_SECONDS = 1.0  # NVML samples the use by process about six times a second


class Cuda:
    """``bench.measure.device.Device`` for one GPU, on its current stream.

    torch: the module, or a scripted one in tests; driver: what NVML says of the GPU, found when not given.
    """

    kind = "cuda"

    def __init__(
        self,
        torch_name: str = "cuda:0",
        *,
        torch: Any = this_torch,
        driver: nvml.Gpu | None = None,
        clock: Callable[[], float] = time.perf_counter,
    ) -> None:
        gpu.check(torch, torch_name)
        self.torch_name = torch_name
        self._torch, self._cuda, self._clock = torch, torch.cuda, clock
        self._cuda.set_device(torch_name)
        self.driver = gpu.find(torch, torch_name) if driver is None else driver
        self.stream = Stream(self._cuda, clock)
        self._watch = Watch(self._cuda, torch_name, self.driver, self.stream, clock)
        self._flush: Flush | None = None

    def sample(self, block: Block, loops: int) -> Sample:
        """Mean device time of ``loops`` calls, each after a flush; siblings ``hot``, ``enqueue`` and ``wall``."""
        flush = self.flush()
        before = self._watch.look()
        host = self.stream.enqueue_seconds(lambda: block(1))
        cold, is_cold_proven = self.stream.held(lambda hold: self._cold(block, loops, flush, hold), host)
        batch = max(1, min(loops, int(LONGEST_BATCH_SECONDS / max(host, 1e-9))))
        # The last cold call leaves its data in the cache, so the batch that follows is hot.
        hot, is_hot_proven = self.stream.held(
            lambda hold: [self.stream.held_span(lambda: block(batch), hold)], host * batch
        )
        flags: list[Flag] = [] if is_cold_proven and is_hot_proven else ["launch_bound"]
        flags += self._watch.flags(before)
        return Sample(
            seconds=sum(span.seconds for span in cold) / loops,
            flags=tuple(flags),
            siblings={
                "hot": hot[0].seconds / batch,
                "enqueue": hot[0].enqueue_seconds / batch,
                "wall": self._wall(block, loops) / loops,
            },
        )

    def flush(self) -> Flush:
        """The flush, made at its first use: a pass that only looks at memory must not hold its buffers."""
        self._flush = self._flush or Flush(self._torch, self.torch_name)
        return self._flush

    def _cold(self, block: Block, loops: int, flush: Flush, hold_seconds: float) -> Sequence[Span]:
        spans = []
        for _ in range(loops):
            self.stream.hold(hold_seconds)
            flush()
            spans.append(self.stream.span(lambda: block(1)))
        return spans

    def _wall(self, block: Block, loops: int) -> float:
        self._cuda.synchronize()
        start = self._clock()
        block(loops)
        self._cuda.synchronize()
        return self._clock() - start

    def once(self, block: Block) -> float:
        return self._wall(block, 1)

    def busy(self, seconds: float) -> None:
        """Spin on the stream."""
        self.stream.hold(seconds)

    def metronomes(self) -> Mapping[str, float]:
        """Seconds of a fixed number of SM cycles: the reciprocal is the SM clock."""
        return {"sm_clock": self.stream.spin_seconds(METRONOME_CYCLES)}

    def peak(self, call: Callable[[], object]) -> Mapping[str, float]:
        return cuda_memory.peak(self._cuda, self.torch_name, self.driver, call)

    def free_bytes(self) -> int:
        return cuda_memory.free_bytes(self._cuda, self.torch_name)

    def ceilings(self) -> Mapping[str, float]:
        return cuda_ceilings.measure(self._torch, self.torch_name, self.stream)


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """The state of the GPU at one moment; two of them tell what happened in between."""

    at: float
    spin_seconds: float
    throttle_seconds: Mapping[str, float]
    allocations: int


class Watch:
    """What else happened to the GPU during a sample: lowered clocks, allocations, other tenants."""

    def __init__(
        self, cuda: Any, torch_name: str, driver: nvml.Gpu, stream: Stream, clock: Callable[[], float]
    ) -> None:
        self._cuda, self._torch_name, self._driver = cuda, torch_name, driver
        self._stream, self._clock = stream, clock
        self._asked_tenants_at = float("-inf")
        self._is_contended = False

    def look(self) -> Look:
        """Look now.  Costs two spins of the GPU and a question to the driver, outside what is timed."""
        return Look(
            at=self._clock(),
            spin_seconds=self._stream.spin_seconds(),
            throttle_seconds=nvml.throttle_seconds(self._driver),
            allocations=self._allocations(),
        )

    def flags(self, before: Look) -> list[Flag]:
        """What happened since ``before``."""
        now = self.look()
        found: list[Flag] = []
        if is_throttled(before, now):
            found.append("throttled")
        if now.allocations > before.allocations:
            found.append("allocated")
        if self._contended(now.at):
            found.append("contended")
        return found

    def _allocations(self) -> int:
        """How often torch's allocator went to the driver, retries after freeing its cache included."""
        stats = self._cuda.memory_stats(self._torch_name)
        return int(stats.get("num_device_alloc", 0)) + int(stats.get("num_alloc_retries", 0))

    def _contended(self, now: float) -> bool:
        """Whether a process of others used the GPU of late; asked once a second, since asking takes time too."""
        if now - self._asked_tenants_at >= _TENANTS_EVERY_SECONDS:
            since = int((time.time() - _TENANTS_EVERY_SECONDS) * 1e6)  # NVML counts microseconds of the day's clock
            share = nvml.busy_elsewhere(self._driver, since).value
            self._is_contended = isinstance(share, (int, float)) and share > 0
            self._asked_tenants_at = now
        return self._is_contended


def is_throttled(before: Look, after: Look) -> bool:
    """Whether the clock moved by a tenth (down, or up again), or the driver held it back a twentieth of the time."""
    slow, fast = sorted((after.spin_seconds, before.spin_seconds), reverse=True)
    if fast < SLOWED_CLOCK * slow:
        return True
    elapsed = max(after.at - before.at, 1e-9)
    held_back = (after.throttle_seconds.get(reason, 0.0) - s for reason, s in before.throttle_seconds.items())
    return any(seconds > THROTTLED_SHARE * elapsed for seconds in held_back)
