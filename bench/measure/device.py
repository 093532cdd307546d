"""What the harness asks of a device.  ``cpu``, ``cuda`` and the scripted device of ``bench.testing`` answer it."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Protocol

from bench.model import Flag

# block(n) makes n calls of one phase of one subject, back to back, and nothing else.
Block = Callable[[int], None]


@dataclass(frozen=True, slots=True, kw_only=True)
class Sample:
    """One timed block, in seconds per call; ``siblings``: other times of the block (CUDA: hot, enqueue, wall)."""

    seconds: float
    flags: tuple[Flag, ...] = ()
    siblings: Mapping[str, float] = field(default_factory=dict)


class Device(Protocol):
    """One device as seen from inside a worker.  Every time is in seconds, every size in bytes."""

    kind: str
    """``cpu`` or ``cuda``, as in case ids."""
    torch_name: str
    """What ``torch.device`` takes: ``cpu``, ``cuda:0``."""

    def sample(self, block: Block, loops: int) -> Sample:
        """Time ``loops`` calls as headline times are (CPU: wall; CUDA: device time with cold L2) and flag it."""

    def once(self, block: Block) -> float:
        """Wall seconds of one call, synchronised: first calls, warming up, choosing loops."""

    def metronomes(self) -> Mapping[str, float]:
        """Seconds of each reference block right now."""

    def peak(self, call: Callable[[], object]) -> Mapping[str, float]:
        """Bytes that one call needs above what was there before: ``peak`` (exact), and ``reserved``, ``nvml``,
        ``rss`` where the device has them."""

    def free_bytes(self) -> int:
        """Bytes that may be allocated now without harm."""

    def ceilings(self) -> Mapping[str, float]:
        """Measured roofs of this run: ``bytes`` (copy, B/s) and ``flops`` (matmul, FLOP/s) by name."""

    def busy(self, seconds: float) -> None:
        """Work that takes about so long on this device when it is calm: the amount is fixed, the time is not."""
