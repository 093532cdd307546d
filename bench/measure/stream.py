"""Time on the GPU's own clock, with a proof that the GPU was not waiting for Python.

The stream is held by a spinning kernel of bounded length while the host enqueues start, calls and stop.  If the start
event has not happened when all of it is enqueued, the GPU ran through the calls without a gap that Python made.
Bounded, so nothing can deadlock, whatever the calls do.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

# Backlog over the host's enqueue time (docs/gpu.md), and how often it grows until the proof holds.
MARGIN = 1.5
GROWTHS = (1.0, 4.0, 16.0)
# No hold is longer: calls that wait for the GPU (`.item()`, a copy to the host) can never be held.
LONGEST_HOLD_SECONDS = 0.25
# Host time of what is enqueued around the calls (flush, two events, the query): about ten launches of some 5 us.
_AROUND_SECONDS = 50e-6
# About 0.1 ms at 2 GHz: an event's resolution of 0.5 us (CUDA runtime API) is 0.5 % of it.
SPIN_CYCLES = 200_000
# The metronome spins for about 1 ms: the 2-4 us that two events and a launch add are well below 1 %.
METRONOME_CYCLES = 2_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Span:
    """What lay between two events: ``enqueue_seconds`` of the host; ``held``: the proof that the GPU did not wait."""

    start: Any
    stop: Any
    enqueue_seconds: float
    held: bool

    @property
    def seconds(self) -> float:
        """Device time; asked after the stream has been synchronised."""
        return float(self.start.elapsed_time(self.stop)) * 1e-3  # CUDA tells milliseconds


class Stream:
    """The current stream of the current device, where the workload runs."""

    def __init__(self, cuda: Any, clock: Callable[[], float]) -> None:
        self._cuda, self._clock = cuda, clock
        self._cycles_per_second = 0.0

    def spin_seconds(self, cycles: int = SPIN_CYCLES) -> float:
        """Device seconds of a kernel that counts SM cycles: a clock that slows down when the GPU does.

        Held back itself, so that a slow launch cannot lengthen it.
        """
        self._cuda._sleep(SPIN_CYCLES)
        span = self.span(lambda: self._cuda._sleep(cycles))
        self._cuda.synchronize()
        self._cycles_per_second = cycles / span.seconds
        return span.seconds

    def hold(self, seconds: float) -> None:
        """Keep the stream busy for about this long, by the clock of the last spin: idle GPUs clock down."""
        if not self._cycles_per_second:
            self.spin_seconds()
        self._cuda._sleep(int(min(seconds, LONGEST_HOLD_SECONDS) * self._cycles_per_second))

    def held_span(self, calls: Callable[[], object], hold_seconds: float) -> Span:
        """A span behind a hold."""
        self.hold(hold_seconds)
        return self.span(calls)

    def span(self, calls: Callable[[], object]) -> Span:
        """Enqueue calls between two events."""
        start, stop = self._cuda.Event(enable_timing=True), self._cuda.Event(enable_timing=True)
        start.record()
        before = self._clock()
        calls()
        enqueue = self._clock() - before
        stop.record()
        return Span(start=start, stop=stop, enqueue_seconds=enqueue, held=not start.query())

    def enqueue_seconds(self, calls: Callable[[], object]) -> float:
        """Host seconds to enqueue the calls on an idle stream."""
        self._cuda.synchronize()
        before = self._clock()
        calls()
        spent = self._clock() - before
        self._cuda.synchronize()
        return spent

    def held(self, spans: Callable[[float], Sequence[Span]], host_seconds: float) -> tuple[Sequence[Span], bool]:
        """Spans whose holds suffice for ``host_seconds`` of enqueuing, and whether every one is proven.

        ``spans`` is called with the length of a hold, again with longer ones while a proof fails.
        """
        taken: Sequence[Span] = ()
        for growth in GROWTHS:
            taken = spans(MARGIN * growth * (host_seconds + _AROUND_SECONDS))
            self._cuda.synchronize()
            if all(span.held for span in taken):
                return taken, True
        return taken, False


class Flush:
    """Leave nothing of a subject in the L2 cache: write twice its size, then read as much that stays clean.

    The writes evict, the reads drive out what the writes left dirty; else the timed calls would pay for writing back.
    All of one type: a sum that widens copies its whole source first.  Made with one flush done, so that what a first
    one needs (code, a workspace) is no sample's allocation.
    """

    FACTOR = 2
    # Where torch does not tell (before 2.6): more than the largest to date, 126 MB of a B200.
    UNKNOWN_L2_BYTES = 128 << 20

    def __init__(self, torch: Any, torch_name: str, factor: float = FACTOR) -> None:
        properties = torch.cuda.get_device_properties(torch_name)
        self.l2_bytes = int(getattr(properties, "L2_cache_size", 0)) or self.UNKNOWN_L2_BYTES
        words = int(factor * self.l2_bytes) // 8
        self._torch = torch
        self._written = torch.zeros(words, dtype=torch.int64, device=torch_name)
        self._read = torch.zeros(words, dtype=torch.int64, device=torch_name)
        self._sum = torch.zeros((), dtype=torch.int64, device=torch_name)
        self()

    def __call__(self) -> None:
        self.dirty()
        self.clean()

    def dirty(self) -> None:
        """Only the writes; what they leave in the cache is dirty."""
        self._written.fill_(1)

    def clean(self) -> None:
        """Only the reads; what they leave in the cache needs no writing back."""
        self._torch.sum(self._read, dim=0, out=self._sum)
