"""How many calls make a sample and how many samples a process: numbers in, numbers out, plus warming up."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass

from bench.measure.device import Block, Device

# Long against timer resolution (~50 ns) and scheduling hiccups, short against machine drift.
SAMPLE_SECONDS = 0.002
# A variant a thousand times slower than the fastest would make samples of seconds.
LONGEST_SAMPLE_SECONDS = 0.05
# One process of a group: enough rounds for a median, few enough that many processes fit a budget.  With 6 rounds most
# of the spread between processes was noise within them, so short calls take at least STEADY_ROUNDS.
PROCESS_SECONDS, LONG_PROCESS_SECONDS = 0.12, 1.0
ROUNDS = (5, 24)
STEADY_ROUNDS = 10
# Warming up ends when calls stop getting faster, at the latest after this.
SETTLE_SECONDS, SETTLE_CALLS = 0.06, 60
# Where a sample has fewer, what one call took by itself tells how many.
FEW_CALLS = 10
# Calls whose median says how long a call takes, where a share of it is to be added.
LENGTHENED_CALLS = 9


@dataclass(frozen=True, slots=True, kw_only=True)
class WarmUp:
    """First call and calls until steady of one phase; ``seconds`` is the steady time of one call.

    ``around``: what a sample costs beyond that for each of its calls: on CUDA a hold, a flush, and the call again.
    """

    first_call: float
    settle: int
    seconds: float
    around: float = 0.0


def warm_up(device: Device, block: Block) -> WarmUp:
    """Call until two calls in a row are within 10 % of the fastest before them."""
    first = device.once(block)
    fastest, spent, calm, calls = first, 0.0, 0, 1
    while calm < 2 and calls < SETTLE_CALLS and spent < SETTLE_SECONDS:
        seconds = device.once(block)
        calls, spent = calls + 1, spent + seconds
        calm = calm + 1 if abs(seconds - fastest) <= 0.1 * fastest else 0
        fastest = min(fastest, seconds)
    seconds = _in_a_row(device, block, fastest)
    return WarmUp(first_call=first, settle=calls, seconds=seconds, around=_around(device, block, seconds))


def _in_a_row(device: Device, block: Block, seconds: float) -> float:
    """Seconds of a short call among others of its kind: one at a time, an addition takes three times as long.

    Not on CUDA, where each call of a sample has caches flushed and a launch of its own.
    """
    calls = int(SAMPLE_SECONDS / 2 / max(seconds, 1e-9))
    if device.kind != "cpu" or calls < FEW_CALLS:
        return seconds
    return min(seconds, device.sample(block, calls).seconds)


def _around(device: Device, block: Block, seconds: float) -> float:
    """What a sample of some calls takes, beyond the calls; on the CPU it is nothing but the calls."""
    if device.kind == "cpu":
        return 0.0
    calls = max(1, min(FEW_CALLS, int(SAMPLE_SECONDS / max(seconds, 1e-9))))

    def sample(_: int) -> None:
        device.sample(block, calls)

    device.sample(lambda _: None, 1)  # a device's first sample makes what its flushes need
    return max(0.0, device.once(sample) / calls - seconds)


def choose_loops(seconds: Sequence[float], target_seconds: float = SAMPLE_SECONDS) -> int:
    """Calls per sample for a whole group: its fastest variant fills a block, unless the slowest then takes too long."""
    wanted = round(target_seconds / max(min(seconds), 1e-9))
    return max(1, min(wanted, int(LONGEST_SAMPLE_SECONDS / max(*seconds, 1e-9))))


def choose_rounds(round_seconds: float, variants: int, process_seconds: float = PROCESS_SECONDS) -> int:
    """Rounds per process: a multiple of the variants where that fits, so that each stands in each place equally."""
    least, most = ROUNDS
    fitting, at_most = (int(seconds / max(round_seconds, 1e-9)) for seconds in (process_seconds, LONG_PROCESS_SECONDS))
    return full_turns(min(max(fitting, min(at_most, STEADY_ROUNDS), least), most), variants)


def full_turns(rounds: int, variants: int) -> int:
    """So many rounds or a few more: a multiple of the variants, unless they are too many."""
    return -(-rounds // variants) * variants if variants <= ROUNDS[1] else rounds


def lengthened(block: Block, share: float, device: Device) -> Block:
    """The block with a share of its work added to each call: a planted slowdown, of what samples are told in."""
    extra_seconds = share * statistics.median(device.sample(block, 1).seconds for _ in range(LENGTHENED_CALLS))

    def longer(loops: int) -> None:
        block(loops)
        device.busy(extra_seconds * loops)

    return longer
