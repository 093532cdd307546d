"""In which order: a cyclic Latin square over variants, so that linear drift cancels, and passes over groups."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TypeVar

T = TypeVar("T")

METRONOME = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing a worker does: a sample of what it opened under ``name``, or the metronomes (METRONOME)."""

    name: str
    phase: str = ""
    loops: int = 0


def rotated(items: Sequence[T], by: int) -> list[T]:
    """The items in their order, beginning ``by`` places later."""
    return [items[(i + by) % len(items)] for i in range(len(items))]


def rounds(names: Sequence[str], loops: dict[str, int], count: int, first: int = 0) -> list[Step]:
    """``count`` rounds: the metronomes, then for each phase every name once, in an order that rotates by round.

    Forwards and backwards in turn, so that each follows each other one and none is favoured by its neighbour.
    ``loops``: phase -> calls per sample.
    """
    steps: list[Step] = []
    for number in range(first, first + count):
        order = rotated(names, number)
        if (number // len(names)) % 2:
            order.reverse()
        steps.append(Step(name=METRONOME))
        steps += [Step(name=name, phase=phase, loops=calls) for phase, calls in loops.items() for name in order]
    return steps
