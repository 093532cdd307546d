"""What a runner and a worker say to each other: one JSON object a line, so that both ends may be different Pythons.

The runner asks, the worker answers; a worker never speaks first.  Every answer is a ``Reply``.
"""

from __future__ import annotations

import json
import typing
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, BinaryIO

from bench.measure.device import Sample
from bench.measure.schedule import Step
from bench.measure.timing import WarmUp
from bench.model import Check, Environment, Point, Status
from bench.store import from_json, to_json
from bench.suite import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Take:
    """Take a device; ``settings`` then hold for the whole process."""

    torch_name: str
    settings: Settings | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Describe:
    """Tell the environment; ``ceilings``: also measure the roofs."""

    ceilings: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Open:
    """Build one variant of a group, under a name that ``Warm`` and ``Measure`` use, until ``Close``.

    ``like``: the variant whose inputs and weights it takes.  ``extra``: share of work that is added to every call, to
    see whether a slowdown of that size is found.  ``settings``: of a cell of the knob matrix, beside the variant's own.
    ``turn``: which core a worker of one thread keeps to, so that workers that take turns have the same one.
    """

    name: str
    file: str
    benchmark: str
    variant: str
    like: str
    point: Point
    seed: int
    extra: float = 0.0
    settings: Settings | None = None
    turn: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Warm:
    """Call one phase of what was opened under a name until it is steady."""

    name: str
    phase: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Measure:
    """Take these steps, in this order."""

    steps: tuple[Step, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class Facts:
    """Memory, work and checks of a variant, in a process that has done nothing else with this group."""

    case: Open


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """Call a variant again and again, and compare bits.

    ``repeats``: at most so many, about as many as fit into ``seconds``; 0: only compare with the file ``against``,
    which another process was told to ``keep``.  With both, the distance to that file is told too: it is then of another
    cell of the knob matrix.
    """

    case: Open
    level: str
    knobs: str = ""
    repeats: int = 0
    seconds: float = 0.0
    keep: str = ""
    against: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Close:
    """Drop the subjects of the group."""


Request = Take | Describe | Open | Warm | Measure | Facts | Probe | Close


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """What went wrong with a variant; ``fatal``: the process cannot go on (a broken CUDA context)."""

    status: Status
    reason: str
    trace: str = ""
    fatal: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Taken:
    """The result of one step: a sample, or the metronomes."""

    sample: Sample | None = None
    metronomes: Mapping[str, float] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Reply:
    """An answer: ``failure``, with the name it is about where a request had several, or what the request asked for."""

    failure: Failure | None = None
    name: str = ""
    environment: Environment | None = None
    ceilings: Mapping[str, float] = field(default_factory=dict)
    warm_up: WarmUp | None = None
    taken: tuple[Taken, ...] = ()
    values: Mapping[str, float | str] = field(default_factory=dict)
    checks: tuple[Check, ...] = ()
    operators: tuple[str, ...] = ()
    warnings: tuple[str, ...] = ()


_REQUESTS: dict[str, type] = {t.__name__: t for t in typing.get_args(Request)}


def send(file: BinaryIO, message: Request | Reply) -> None:
    """Write one message and flush it."""
    data: dict[str, Any] = {"message": type(message).__name__, **to_json(message)}
    file.write(json.dumps(data, separators=(",", ":")).encode() + b"\n")
    file.flush()


def receive_request(file: BinaryIO) -> Request | None:
    """The next request, or None when the runner has gone."""
    line = file.readline()
    if not line:
        return None
    data = json.loads(line)
    return typing.cast(Request, from_json(_REQUESTS[data["message"]], data))


def receive_reply(file: BinaryIO) -> Reply | None:
    """The next reply, or None when the worker has died."""
    line = file.readline()
    return typing.cast(Reply, from_json(Reply, json.loads(line))) if line.endswith(b"\n") else None
