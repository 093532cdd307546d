"""One process of one group: open its variants, warm them, take the rounds, and make the records.

Variants that can share a process do; those with process-wide settings sit in workers of their own and are asked in
turn.  One scheduler serves both: consecutive steps of the same worker travel together.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bench.discover import Found
from bench.measure import schedule
from bench.measure.crew import Crew
from bench.measure.device import Sample
from bench.measure.messages import Close, Facts, Failure, Measure, Open, Reply, Taken, Warm
from bench.measure.schedule import METRONOME, Step
from bench.measure.timing import WarmUp, choose_loops, choose_rounds
from bench.measure.workers import Worker, WorkerDied
from bench.model import Case, Record, Samples

# What belongs to one record besides its case, status and numbers.
MakeRecord = Callable[..., Record]


@dataclass(slots=True, kw_only=True)
class Group:
    """All variants at one point, and what a run has learnt of them so far."""

    found: Found
    cases: Mapping[str, Case]
    seed: int
    limit_seconds: float
    loops: dict[str, int] = field(default_factory=dict)
    rounds: int = 0
    processes: int = 0
    lost: set[str] = field(default_factory=set)
    cost_seconds: float = 0.0

    @property
    def name(self) -> str:
        return next(iter(self.cases.values())).group

    @property
    def alive(self) -> list[str]:
        """Variants that have not failed; what failed once is not tried again in this run."""
        return [v for v in self.cases if v not in self.lost]

    @property
    def taking_turns(self) -> bool:
        return any(self.found.benchmark.settings(v) is not None for v in self.cases)

    def open(self, variant: str) -> Open:
        return Open(
            file=str(self.found.path),
            benchmark=self.found.benchmark.name,
            variant=variant,
            point=self.cases[variant].point,
            seed=self.seed,
        )


class _LostError(Exception):
    """A variant (or, with no name, whoever was measured) cannot go on; ``broken`` workers must be replaced."""

    def __init__(self, variant: str, failure: Failure, broken: bool) -> None:
        super().__init__(failure.reason)
        self.variant, self.failure, self.broken = variant, failure, broken


def gather_facts(group: Group, crew: Crew, record: MakeRecord) -> list[Record]:
    """Memory, work and checks of every variant, each in a worker that did nothing else: process 0."""
    records = []
    for variant in group.alive:
        settings = group.found.benchmark.settings(variant)
        worker = crew.isolated(taking_turns=group.taking_turns, settings=settings)
        try:
            reply = _ask(worker, Facts(case=group.open(variant)), variant, group)
        except _LostError as lost:
            records.append(_lose(group, lost, record, process=0))
            continue
        finally:
            crew.drop(worker)
        records.append(
            record(
                case=group.cases[variant],
                process=0,
                status="ok",
                values=reply.values,
                checks=reply.checks,
                warnings=reply.warnings,
            )
        )
    return records


def measure_process(group: Group, crew: Crew, record: MakeRecord) -> list[Record]:
    """One timed process of a group, as a record per variant.

    A variant that fails is recorded once and left out; the others go on.  When a worker dies during a batch nobody
    knows at whose step, so the process is measured again with one step a message.
    """
    records: list[Record] = []
    start, number = time.monotonic(), group.processes + 1
    together = True
    while group.alive:
        try:
            records += _attempt(group, crew, number, record, together)
            break
        except _LostError as lost:
            if lost.variant:
                records.append(_lose(group, lost, record, process=number))
            together = together and bool(lost.variant)
    group.processes = number
    group.cost_seconds = time.monotonic() - start
    return records


def _lose(group: Group, lost: _LostError, record: MakeRecord, *, process: int) -> Record:
    group.lost.add(lost.variant)
    failure = lost.failure
    trace = (failure.trace,) if failure.trace else ()
    return record(
        case=group.cases[lost.variant], process=process, status=failure.status, reason=failure.reason, warnings=trace
    )


def _attempt(group: Group, crew: Crew, number: int, record: MakeRecord, together: bool) -> list[Record]:
    seats = _seat(group, crew)
    try:
        order = schedule.rotated(group.alive, number)
        for variant in order:
            _ask(seats[variant], group.open(variant), variant, group)
        warm = {(v, p): _warm(seats[v], v, p, group) for p in group.found.benchmark.phases for v in order}
        _choose(group, warm)
        steps = schedule.rounds(group.alive, group.loops, group.rounds, first=number)
        taken = _take(seats, steps, group, together)
        return _records(group, number, warm, list(zip(steps, taken, strict=True)), record)
    except _LostError as lost:
        if lost.broken:
            for worker in set(seats.values()):
                crew.drop(worker)
        raise
    finally:
        _leave(seats, group, crew)


def _seat(group: Group, crew: Crew) -> dict[str, Worker]:
    """variant -> worker: one for all that share, one for each with settings of its own."""
    seats: dict[str, Worker] = {}
    shared: Worker | None = None
    for variant in group.alive:
        settings = group.found.benchmark.settings(variant)
        if settings is not None:
            seats[variant] = crew.isolated(taking_turns=group.taking_turns, settings=settings)
        else:
            shared = shared or crew.shared(taking_turns=group.taking_turns)
            seats[variant] = shared
    return seats


def _leave(seats: Mapping[str, Worker], group: Group, crew: Crew) -> None:
    """Shared workers close the group and may serve the next one; the others are done."""
    for variant, worker in seats.items():
        if group.found.benchmark.settings(variant) is not None:
            crew.drop(worker)
    shared = {id(w): w for v, w in seats.items() if group.found.benchmark.settings(v) is None}
    for worker in shared.values():
        try:
            worker.ask(Close(), limit_seconds=group.limit_seconds)
        except WorkerDied:
            crew.drop(worker)


def _ask(worker: Worker, request: Open | Warm | Measure | Facts, variant: str, group: Group) -> Reply:
    """The reply, or _LostError naming the variant that was asked about (or the one the reply names)."""
    try:
        reply = worker.ask(request, limit_seconds=group.limit_seconds)
    except WorkerDied as died:
        raise _LostError(variant, Failure(status=died.status, reason=died.reason), broken=True) from None
    if reply.failure is not None:
        raise _LostError(reply.variant or variant, reply.failure, broken=reply.failure.fatal)
    return reply


def _warm(worker: Worker, variant: str, phase: str, group: Group) -> WarmUp:
    reply = _ask(worker, Warm(variant=variant, phase=phase), variant, group)
    assert reply.warm_up is not None
    return reply.warm_up


def _choose(group: Group, warm: Mapping[tuple[str, str], WarmUp]) -> None:
    """Loops and rounds, once per group: the first process decides, the others repeat."""
    if group.loops:
        return
    for phase in group.found.benchmark.phases:
        group.loops[phase] = choose_loops([w.seconds for (_, p), w in warm.items() if p == phase])
    round_seconds = sum(w.seconds * group.loops[phase] for (_, phase), w in warm.items())
    group.rounds = choose_rounds(round_seconds, len(group.alive))


def _take(seats: Mapping[str, Worker], steps: list[Step], group: Group, together: bool) -> list[Taken]:
    """The results of all steps in order.  Runs of steps of one worker travel in one message, or one by one."""
    anyone = next(iter(seats.values()))

    def seat(step: Step) -> Worker:
        return anyone if step.variant == METRONOME else seats[step.variant]

    taken: list[Taken] = []
    numbered = list(enumerate(steps))
    for _, run in itertools.groupby(numbered, key=lambda item: id(seat(item[1])) if together else item[0]):
        batch = tuple(step for _, step in run)
        blamed = batch[0].variant if len({s.variant for s in batch}) == 1 else ""
        taken += _ask(seat(batch[0]), Measure(steps=batch), blamed, group).taken
    return taken


def _records(
    group: Group,
    number: int,
    warm: Mapping[tuple[str, str], WarmUp],
    results: list[tuple[Step, Taken]],
    record: MakeRecord,
) -> list[Record]:
    beats = [taken.metronomes for step, taken in results if step.variant == METRONOME]
    metronomes = {name: tuple(beat[name] for beat in beats) for name in beats[0]} if beats else {}
    records = []
    for variant in group.alive:
        mine = [(step, taken.sample) for step, taken in results if step.variant == variant and taken.sample]
        samples = tuple(
            _samples(phase, group.loops[phase], warm[variant, phase], [s for step, s in mine if step.phase == phase])
            for phase in group.found.benchmark.phases
        )
        records.append(
            record(case=group.cases[variant], process=number, status="ok", samples=samples, metronomes=metronomes)
        )
    return records


def _samples(phase: str, loops: int, warm: WarmUp, samples: list[Sample]) -> Samples:
    names = samples[0].siblings if samples else {}
    return Samples(
        phase=phase,
        loops=loops,
        seconds=tuple(s.seconds for s in samples),
        flags=tuple(s.flags for s in samples),
        siblings={name: tuple(s.siblings[name] for s in samples) for name in names},
        first_call=warm.first_call,
        settle=warm.settle,
    )
