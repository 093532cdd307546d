"""What the checks of a GPU are made of: the GPU with its clocks, and the line of the table that a check gives."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from bench.measure.cuda import Cuda
from bench.measure.device import Block
from bench.measure.stream import METRONOME_CYCLES

Verdict = Literal["pass", "FAIL", "stated", "not measured"]
_WAKING_SECONDS = 0.5  # an idle GPU clocks down, to 345 MHz of 1980 on an H100


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """One line of the table."""

    check: str
    predicted: str
    measured: str
    verdict: Verdict


@dataclass(frozen=True, slots=True, kw_only=True)
class Profiled:
    """Device seconds per call of the same calls: of their kernels (CUPTI), and between two events."""

    kernel_seconds: float
    event_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Rig:
    """A GPU and what the checks need besides: all of it scripted in the tests.

    profiled: n calls under the profiler, or None where it sees no kernels; process_seconds: for each of some workers,
    the parts of what it costs; first_calls: name -> a call never made in this process.
    """

    torch: Any
    device: Cuda
    clock: Callable[[], float]
    wait: Callable[[float], None]
    profiled: Callable[[Block, int], Profiled | None]
    process_seconds: Callable[[], Sequence[Mapping[str, float]]]
    first_calls: Callable[[], Mapping[str, Block]]

    def spin(self, seconds: float) -> Block:
        """A kernel of known length: the spin that also holds the stream."""
        clock_hz = METRONOME_CYCLES / self.device.stream.spin_seconds(METRONOME_CYCLES)
        cycles = int(seconds * clock_hz)
        return repeated(lambda: self.torch.cuda._sleep(cycles))

    def matmul(self, size: int) -> Block:
        """A bf16 matmul of random matrices."""
        torch, name = self.torch, self.device.torch_name
        a, b = (torch.randn(size, size, device=name).to(torch.bfloat16) for _ in range(2))
        return repeated(lambda: torch.mm(a, b))

    def busy(self, block: Block, seconds: float, during: Callable[[], None] = lambda: None) -> int:
        """Call back to back for so long; how many calls it were."""
        start, calls = self.clock(), 0
        while self.clock() - start < seconds:
            block(20)
            calls += 20
            during()
            self.torch.cuda.synchronize()
        return calls

    def wake(self) -> None:
        """Work until the clocks are up."""
        self.busy(self.spin(1e-3), _WAKING_SECONDS)


Check = Callable[[Rig], Iterable[Outcome]]


def repeated(call: Callable[[], object]) -> Block:
    def block(calls: int) -> None:
        for _ in range(calls):
            call()

    return block


def outcome(check: str, predicted: str, measured: str, agrees: bool | Verdict) -> Outcome:
    """``agrees``: whether measured is as predicted, or the verdict where that is not the question."""
    said: Verdict = agrees if isinstance(agrees, str) else "pass" if agrees else "FAIL"
    return Outcome(check=check, predicted=predicted, measured=measured, verdict=said)


def us(seconds: float) -> str:
    return f"{seconds * 1e6:.2f} us"
