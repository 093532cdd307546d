"""Does the flush empty the L2 cache, and does it leave nothing behind that the timed call would pay for?"""

from __future__ import annotations

import statistics
from collections.abc import Callable, Iterator

from gpu_rig import Outcome, Rig, outcome, us

from bench.measure import cuda_ceilings
from bench.measure.stream import Flush

COLD_SHARE, CLEAN_SHARE, RATE_FACTOR, SAVED_SHARE = 0.05, 0.03, 1.5, 1 / 3


def cache(rig: Rig) -> Iterator[Outcome]:
    """Canaries of a quarter of the L2 and of all of it: how long a read of them takes after what went before."""
    torch, name = rig.torch, rig.device.torch_name
    l2_bytes = rig.device.flush().l2_bytes
    flushes = {factor: Flush(torch, name, factor) for factor in (1, 2, 4)}
    quarter, whole = _Canary(rig, l2_bytes // 4), _Canary(rig, l2_bytes)
    hot = quarter.after(quarter.read)
    cold = {factor: quarter.after(flush) for factor, flush in flushes.items()}
    yield outcome(
        "L2: a canary of a quarter read after flushes",
        f"2x as cold as 4x within {COLD_SHARE:.0%}",
        ", ".join(f"{factor}x: {us(seconds)}" for factor, seconds in cold.items()),
        abs(cold[2] / cold[4] - 1) <= COLD_SHARE,
    )
    flushed = whole.after(flushes[2])
    yield from _rates(rig, hot, cold[2], flushed, quarter.size_bytes)
    yield _clean(flushed, whole.after(flushes[4].clean), whole.after(flushes[2].dirty))


class _Canary:
    """A buffer whose reading is timed."""

    def __init__(self, rig: Rig, size_bytes: int) -> None:
        torch, name = rig.torch, rig.device.torch_name
        self._rig, self.size_bytes = rig, size_bytes
        self._buffer = torch.zeros(size_bytes // 8, dtype=torch.int64, device=name)
        self._sum = torch.zeros((), dtype=torch.int64, device=name)

    def read(self) -> None:
        """All of it, without the copy that a sum into a wider type would make."""
        self._rig.torch.sum(self._buffer, dim=0, out=self._sum)

    def after(self, before: Callable[[], object]) -> float:
        """Median device seconds of a read, each time after ``before``."""
        spans = []
        for _ in range(30):
            self._rig.device.stream.hold(300e-6)
            before()
            spans.append(self._rig.device.stream.span(self.read))
        self._rig.torch.cuda.synchronize()
        return statistics.median(span.seconds for span in spans)


def _rates(rig: Rig, hot: float, cold: float, cold_whole: float, quarter_bytes: int) -> Iterator[Outcome]:
    """What the sizes predict, by the copy bandwidth; differences, because starting a kernel takes time too."""
    per_byte = 1 / cuda_ceilings.copy_rate(rig.torch, rig.device.torch_name, rig.device.stream)
    expected, found = 3 * quarter_bytes * per_byte, cold_whole - cold
    yield outcome(
        "L2: three quarters of it more to read cold",
        f"{us(expected)} by the copy bandwidth, within a factor of {RATE_FACTOR}",
        us(found),
        expected / RATE_FACTOR <= found <= RATE_FACTOR * expected,
    )
    saved = SAVED_SHARE * quarter_bytes * per_byte
    yield outcome(
        "L2: a quarter of it read hot",
        f"at least {us(saved)} less than cold: a third of what memory takes",
        f"{us(hot)} hot, {us(cold)} cold",
        cold - hot >= saved,
    )


def _clean(flushed: float, reads_alone: float, writes_alone: float) -> Outcome:
    """Whether a canary read after a flush pays for the flush's own writes; reads alone leave nothing to pay for."""
    effect = writes_alone / reads_alone - 1
    as_clean = abs(flushed / reads_alone - 1) <= CLEAN_SHARE
    shows = effect > CLEAN_SHARE
    return outcome(
        "L2: the flush leaves nothing to write back",
        f"within {CLEAN_SHARE:.0%} of after reads alone; after writes alone slower, or it could not be seen",
        f"{us(flushed)} against {us(reads_alone)}; after writes alone {effect:+.0%}",
        as_clean if shows or not as_clean else "not measured",
    )
