"""One process of one group: open its members, warm them, take the rounds, and make the records.

Members that can share a process do; those with process-wide settings sit in workers of their own and are asked in
turn, and so do the two sides of ``ab``.  One scheduler serves all: consecutive steps of a worker travel together.
"""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from bench.discover import Found
from bench.measure import schedule
from bench.measure.crew import Crew
from bench.measure.device import Sample
from bench.measure.messages import Close, Facts, Failure, Measure, Open, Probe, Reply, Taken, Warm
from bench.measure.schedule import METRONOME, Step
from bench.measure.timing import PROCESS_SECONDS, ROUNDS, WarmUp, choose_loops, choose_rounds, full_turns
from bench.measure.workers import Worker, WorkerDied
from bench.model import Case, Record, Samples
from bench.suite import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Member:
    """A case as it stands in a group; ``side`` is empty in ``run``, ``a`` or ``b`` in ``ab``; ``extra`` as in Open.

    ``knobs``: the cell of the knob matrix, in groups that consist of one case in all cells; ``settings``: the cell's.
    """

    case: Case
    side: str = ""
    extra: float = 0.0
    knobs: str = ""
    settings: Settings | None = None

    @property
    def name(self) -> str:
        if self.knobs:
            return self.knobs
        return f"{self.side}:{self.case.variant}" if self.side else self.case.variant


# What belongs to one record besides its member, status and numbers is the maker's.
MakeRecord = Callable[..., Record]


@dataclass(slots=True, kw_only=True)
class Group:
    """All variants at one point (in ``ab``: on both sides), and what a run has learnt of them so far.

    ``process_seconds``: how long the rounds of one process may take together, where they are short;
    ``round_seconds``: what a round takes, once that is known.
    """

    name: str
    found: Found
    members: Mapping[str, Member]
    seed: int
    limit_seconds: float
    loops: dict[str, int] = field(default_factory=dict)
    rounds: int = 0
    processes: int = 0
    lost: set[str] = field(default_factory=set)
    together: bool = True
    cost_seconds: float = 0.0
    process_seconds: float = PROCESS_SECONDS
    round_seconds: float = 0.0

    def shorten(self, share: float) -> None:
        """Take only so much of the rounds in later processes, but enough for a median."""
        self.rounds = min(self.rounds, full_turns(max(ROUNDS[0], int(share * self.rounds)), len(self.alive)))

    def on_side(self, side: str) -> Group:
        """The group with the members of one side only."""
        return replace(self, members={name: member for name, member in self.members.items() if member.side == side})

    @property
    def alive(self) -> list[str]:
        """Members that have not failed; what failed once is not tried again in this run."""
        return [name for name in self.members if name not in self.lost]

    @property
    def taking_turns(self) -> bool:
        """Whether several workers are alive at once."""
        sides = {member.side for member in self.members.values()}
        return len(sides) > 1 or any(self.settings(name) is not None for name in self.members)

    def settings(self, name: str) -> Settings | None:
        """The process-wide settings of a member, or None when it shares a process."""
        member = self.members[name]
        return member.settings or self.found.benchmark.settings(member.case.variant)

    def is_alone(self, name: str) -> bool:
        """Whether a member needs a fresh process of its own: cells of the knob matrix share theirs between cases."""
        return self.settings(name) is not None and not self.members[name].knobs

    def open(self, name: str) -> Open:
        """The request that builds a member, like the baseline of its side, or like the first that is left there."""
        case = self.members[name].case
        return Open(
            name=name,
            file=str(self.found.path),
            benchmark=self.found.benchmark.name,
            variant=case.variant,
            like=self._like(self.members[name]),
            point=case.point,
            seed=self.seed,
            extra=self.members[name].extra,
            settings=self.members[name].settings,
            turn=self.processes if self.taking_turns else None,
        )

    def _like(self, member: Member) -> str:
        if member.knobs:
            return member.case.baseline
        return next(self.members[n].case.variant for n in self.alive if self.members[n].side == member.side)


class _LostError(Exception):
    """A member (or, without a name, nobody knows which) cannot go on; ``broken``: its workers must be replaced."""

    def __init__(self, name: str, failure: Failure, *, broken: bool) -> None:
        super().__init__(failure.reason)
        self.name, self.failure, self.broken = name, failure, broken


def gather_facts(
    group: Group, names: Iterable[str], crew: Crew, record: MakeRecord, probe: Callable[[Open], Probe] | None = None
) -> list[Record]:
    """Memory, work and checks of some members: process 0.  Where a process is cheap, each has one to itself.

    ``probe``: how to ask whether a case repeats its own bits, if that is wanted.
    """
    records = []
    for name in names:
        side, settings = group.members[name].side, group.settings(name)
        worker = crew.shared(side, settings=settings)
        try:
            reply = _ask(worker, Facts(case=group.open(name)), name, group)
            again = _ask(worker, probe(group.open(name)), name, group) if probe else Reply()
        except _LostError as lost:
            records.append(_lose(group, lost, record, process=0))
            _leave({name: worker}, group, crew, broken=lost.broken)
        else:
            found = {
                "values": {**reply.values, **again.values},
                "checks": reply.checks + again.checks,
                "operators": again.operators,
                "warnings": tuple(dict.fromkeys(reply.warnings + again.warnings)),
            }
            records.append(record(group.members[name], process=0, status="ok", **found))
            _leave({name: worker}, group, crew, broken=False)
        crew.end_process()
    return records


def measure_process(group: Group, crew: Crew, record: MakeRecord) -> list[Record]:
    """One timed process of a group, as a record per member.

    A member that fails is recorded once and left out; the others go on in a fresh process.  When a worker dies during
    a batch nobody knows at whose step, so the process is measured again, and later ones too, with one step a message.
    """
    records: list[Record] = []
    start, number = time.monotonic(), group.processes + 1
    while group.alive:
        try:
            records += _attempt(group, crew, number, record)
            break
        except _LostError as lost:
            # A worker that dies between members, twice, takes whoever is first with it rather than go on for ever.
            lost.name = lost.name or ("" if group.together else group.alive[0])
            if lost.name:
                records.append(_lose(group, lost, record, process=number))
            group.together = group.together and bool(lost.name)
            crew.end_process()
    group.processes = number
    group.cost_seconds = time.monotonic() - start
    return records


def _lose(group: Group, lost: _LostError, record: MakeRecord, *, process: int) -> Record:
    group.lost.add(lost.name)
    failure = lost.failure
    trace = (failure.trace,) if failure.trace else ()
    member = group.members[lost.name]
    return record(member, process=process, status=failure.status, reason=failure.reason, warnings=trace)


def _attempt(group: Group, crew: Crew, number: int, record: MakeRecord) -> list[Record]:
    order = schedule.rotated(group.alive, number)
    seats = _seat(order, group, crew)
    try:
        for name in order:
            _ask(seats[name], group.open(name), name, group)
        warm = {(name, p): _warm(seats[name], name, p, group) for p in group.found.benchmark.phases for name in order}
        _choose(group, warm)
        steps = schedule.rounds(group.alive, group.loops, group.rounds, first=number)
        taken = _take(seats, steps, group)
    except BaseException as error:  # Ctrl-C too: a worker that is still busy cannot be asked to close
        _leave(seats, group, crew, broken=not isinstance(error, _LostError) or error.broken)
        raise
    _leave(seats, group, crew, broken=False)
    return _records(group, number, warm, list(zip(steps, taken, strict=True)), record)


def _seat(order: Sequence[str], group: Group, crew: Crew) -> dict[str, Worker]:
    """name -> worker: one for all of a side that share, one for each with settings of its own."""
    lend = {name: crew.isolated if group.is_alone(name) else crew.shared for name in order}
    return {name: lent(group.members[name].side, settings=group.settings(name)) for name, lent in lend.items()}


def _leave(seats: Mapping[str, Worker], group: Group, crew: Crew, *, broken: bool) -> None:
    """Shared workers close the group and may serve the next one; the others, and broken ones, are done."""
    for name, worker in {id(worker): (name, worker) for name, worker in seats.items()}.values():
        if broken or group.is_alone(name):
            crew.drop(worker)
            continue
        try:
            worker.ask(Close(), limit_seconds=group.limit_seconds)
        except WorkerDied:
            crew.drop(worker)


def _ask(worker: Worker, request: Open | Warm | Measure | Facts | Probe, name: str, group: Group) -> Reply:
    """The reply, or _LostError naming the member that was asked about (or the one the reply names)."""
    try:
        reply = worker.ask(request, limit_seconds=group.limit_seconds)
    except WorkerDied as died:
        raise _LostError(name, Failure(status=died.status, reason=died.reason), broken=True) from None
    if reply.failure is not None:
        raise _LostError(reply.name or name, reply.failure, broken=reply.failure.fatal)
    return reply


def _warm(worker: Worker, name: str, phase: str, group: Group) -> WarmUp:
    reply = _ask(worker, Warm(name=name, phase=phase), name, group)
    assert reply.warm_up is not None
    return reply.warm_up


def _choose(group: Group, warm: Mapping[tuple[str, str], WarmUp]) -> None:
    """Loops and rounds, once per group: the first process decides, the others repeat."""
    if group.loops:
        return
    for phase in group.found.benchmark.phases:
        group.loops[phase] = choose_loops([w.seconds for (_, p), w in warm.items() if p == phase])
    group.round_seconds = sum((w.seconds + w.around) * group.loops[phase] for (_, phase), w in warm.items())
    group.rounds = choose_rounds(group.round_seconds, len(group.alive), group.process_seconds)


def _take(seats: Mapping[str, Worker], steps: list[Step], group: Group) -> list[Taken]:
    """The results of all steps in order.  Runs of steps of one worker travel in one message, or one by one.

    The metronomes are the work of whoever comes next: always the same worker's, they would wake it each time and leave
    the others a cold start (a copy of 13 MB was 5 % slower in the other one).
    """
    turns: list[tuple[Step, Worker]] = []
    for step in reversed(steps):
        worker = seats[step.name] if step.name != METRONOME else turns[-1][1]
        turns.append((step, worker))
    turns.reverse()
    taken: list[Taken] = []
    numbered = enumerate(turns)
    for _, run in itertools.groupby(numbered, key=lambda item: id(item[1][1]) if group.together else item[0]):
        batch = [turn for _, turn in run]
        names = {step.name for step, _ in batch} - {METRONOME}
        blamed = names.pop() if len(names) == 1 else ""
        worker = batch[0][1]
        taken += _ask(worker, Measure(steps=tuple(step for step, _ in batch)), blamed, group).taken
    return taken


def _records(
    group: Group,
    number: int,
    warm: Mapping[tuple[str, str], WarmUp],
    results: list[tuple[Step, Taken]],
    record: MakeRecord,
) -> list[Record]:
    beats = [taken.metronomes for step, taken in results if step.name == METRONOME]
    metronomes = {name: tuple(beat[name] for beat in beats) for name in beats[0]} if beats else {}
    records = []
    for name in group.alive:
        mine = [(step.phase, taken.sample) for step, taken in results if step.name == name and taken.sample]
        samples = tuple(
            _samples(phase, group.loops[phase], warm[name, phase], [s for p, s in mine if p == phase])
            for phase in group.found.benchmark.phases
        )
        made = record(group.members[name], process=number, status="ok", samples=samples, metronomes=metronomes)
        records.append(made)
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
