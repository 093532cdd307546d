"""A whole run: the facts of every group, then passes until the ratios are precise or the budget is spent."""

from __future__ import annotations

import dataclasses
import functools
import itertools
import statistics
import tempfile
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Protocol

from bench.analysis import stopping
from bench.analysis.intervals import FEWEST, ProcessValue
from bench.analysis.measured import process_log_ratios
from bench.discover import Found
from bench.measure import schedule
from bench.measure.crew import Crew, Side, ask
from bench.measure.determinism_matrix import Matrix
from bench.measure.determinism_processes import repeating, with_other_process
from bench.measure.group import Group, MakeRecord, Member, gather_facts, measure_process
from bench.measure.messages import Describe
from bench.measure.reference import beside
from bench.measure.timing import PROCESS_SECONDS
from bench.model import Case, Environment, Manifest, Record, StopReason, grouped
from bench.store import REFERENCE, Store
from bench.suite import Tier

Ratios = Callable[[Sequence[Record]], Mapping[tuple[str, str], ProcessValue]]

# What tables, pages and pictures of a benchmark take once all is measured, on two cores.
_REPORTING_SECONDS = 0.5
# The rest of a short process starts, opens and warms up.
_MEASURING_SHARE = 0.4


@dataclass(frozen=True, slots=True, kw_only=True)
class Options:
    """What the user asked for.  ``processes``: exactly that many of every group; None measures until it is precise.

    ``determinism``: the level of checks: ``off``, ``quick`` or ``full``.
    """

    device: str
    tier: Tier
    processes: int | None
    precision: float
    budget_seconds: float
    seed: int
    limit_seconds: float
    determinism: str = "off"

    @property
    def kind(self) -> str:
        """``cpu`` or ``cuda``, whichever index the device has."""
        return self.device.split(":")[0]


class Progress(Protocol):
    """Who is told while a run goes on."""

    def start(self, groups: Sequence[str], passes_expected: int) -> None: ...
    def process_done(self, pass_: int, group: str, seconds: float) -> None: ...
    def expect(self, seconds_left: float) -> None: ...
    def pass_done(self, pass_: int, precision_reached: Mapping[str, float]) -> None: ...
    def message(self, text: str) -> None: ...


def make_groups(
    found: Iterable[Found], cases: Sequence[Case], options: Options, *, sides: Sequence[str] = ("",)
) -> list[Group]:
    """The cases by group, in their order, each on every side, next to each other."""
    members: dict[str, dict[str, Member]] = defaultdict(dict)
    for member in (Member(case=case, side=side) for case in cases for side in sides):
        members[member.case.group][member.name] = member
    by_name = {f.name: f for f in found}
    return [
        Group(
            name=case.group,
            found=by_name[case.name_of_benchmark],
            members=members[case.group],
            seed=options.seed,
            limit_seconds=options.limit_seconds,
        )
        for case in {case.group: case for case in cases}.values()
    ]


@dataclass(slots=True, kw_only=True)
class Target:
    """Where one side of a run is measured and kept.

    ``run`` has one, under ``""``, and may have a ``reference`` beside it; ``ab`` has ``a`` and ``b``.
    """

    side: Side
    store: Store
    manifest: Manifest
    environment: str = ""


class Run:
    """One run in progress.  Everything measured is in its store as soon as it is known.

    ``ratios``: what a process of a group says of each ratio that the run is to make precise.
    """

    def __init__(
        self,
        options: Options,
        groups: list[Group],
        targets: Mapping[str, Target],
        *,
        progress: Progress,
        earlier: Sequence[Record] = (),
        ratios: Ratios = process_log_ratios,
    ) -> None:
        self._options, self._groups, self._targets = options, groups, targets
        self._progress, self._ratios_of = progress, ratios
        sides = {name: target.side for name, target in targets.items()}
        self._crew = Crew(sides, options.device, cheap=options.kind == "cpu")
        self._ratios: dict[str, dict[tuple[str, str], list[ProcessValue]]] = {g.name: defaultdict(list) for g in groups}
        self._stops: dict[str, StopReason] = {}
        self._unstable: set[str] = set()
        self._known = {(record.run, record.case.id) for record in earlier if not (record.process or record.knobs)}
        self._remember([record for record in earlier if not record.knobs])
        self._earlier = earlier
        self._deadline = 0.0

    def go(self) -> None:
        """Measure until done; the manifests then say how each group stopped."""
        try:
            self._describe()
            with tempfile.TemporaryDirectory(prefix="bench-bits-") as folder:
                self._gather(Path(folder))
            # From here on, so that checks of any level leave the same time for measuring.
            self._deadline = time.monotonic() + self._options.budget_seconds
            self._pass_after_pass()
            if self._options.determinism == "full":
                self._turn_knobs()
        finally:
            self._crew.end_pass()
        for target in self._targets.values():
            target.manifest = dataclasses.replace(
                target.manifest, stops=dict(self._stops), reached=self._reached(), finished=now()
            )
            target.store.write_manifest(target.manifest)

    def _remember(self, earlier: Sequence[Record]) -> None:
        """Take up where an interrupted run stopped: what was measured counts, what failed is not tried again."""
        by_process = grouped(earlier, lambda record: (record.case.group, record.process))
        for group in self._groups:
            numbers = [process for name, process in by_process if name == group.name]
            group.processes = max(numbers, default=0)
            for number in sorted(numbers):
                self._learn(group, by_process[group.name, number])

    def _learn(self, group: Group, records: Sequence[Record]) -> None:
        failed = {(record.run, record.case.id) for record in records if record.status != "ok"}
        group.lost |= {name for name, member in group.members.items() if self._key(member) in failed}
        for key, ratio in self._ratios_of(records).items():
            self._ratios[group.name][key].append(ratio)
        for record in records:
            if record.samples and not group.loops:
                group.loops = {s.phase: s.loops for s in record.samples}
                group.rounds = len(record.samples[0].seconds)

    def _key(self, member: Member) -> tuple[str, str]:
        """What tells a member's records from others: the run they belong to, and the case."""
        return self._targets[member.side].manifest.run, member.case.id

    def _keep(self, group: Group, records: Sequence[Record]) -> None:
        stores = {target.manifest.run: target.store for target in self._targets.values()}
        for record in records:
            stores[record.run].append(record)
        self._learn(group, records)

    def _describe(self) -> None:
        for side, environment in beside({side: self._describe_side(side) for side in self._targets}).items():
            self._targets[side].environment = environment.key
            self._targets[side].store.add_environment(environment)

    def _describe_side(self, side: str) -> Environment:
        target, worker = self._targets[side], self._crew.isolated(side, settings=None)
        reply = ask(worker, Describe(ceilings=side != REFERENCE))
        self._crew.drop(worker)
        assert reply.environment is not None
        target.manifest = dataclasses.replace(target.manifest, ceilings=reply.ceilings)
        target.store.write_manifest(target.manifest)
        return reply.environment

    def _gather(self, folder: Path) -> None:
        level = self._options.determinism
        names = [g.name for g in self._groups if g.found.benchmark.phases]
        self._progress.start(names, self._options.processes or stopping.MINIMUM)
        asked = [side for side in self._targets if side != REFERENCE]  # that is there for its times alone
        for group, side in itertools.product(self._groups, asked):
            own = folder / side  # the sides keep results of the same names
            own.mkdir(exist_ok=True)
            members = {name: member for name, member in group.members.items() if member.side == side}
            new = [name for name, member in members.items() if self._key(member) not in self._known]
            if new:
                records = gather_facts(group, new, self._crew, self._maker(group), repeating(level, own))
                self._keep(group, with_other_process(group, records, self._crew, level, own, side))
        self._crew.end_pass()

    def _pass_after_pass(self) -> None:
        timed = [g for g in self._groups if g.found.benchmark.phases and g.alive]
        for group in timed:
            group.process_seconds = self._process_seconds(len(timed))
        number = 0
        while chosen := self._choose(timed):
            number += 1
            for group in schedule.rotated(chosen, number):
                if self._out_of_time(group):
                    break
                self._keep(group, measure_process(group, self._crew, self._maker(group)))
                self._crew.end_process()
                if number == 1:  # later on a pass is short, and nobody wants to think between processes
                    self._progress.expect(self._seconds_expected(timed))
                self._progress.process_done(number, group.name, group.cost_seconds)
            if number == 1:
                self._shorten(timed)
            self._crew.end_pass()
            self._progress.expect(self._seconds_expected(timed))
            self._progress.pass_done(number, self._reached())

    def _process_seconds(self, groups: int) -> float:
        """How long a process of a group may measure: a small budget is better spent on enough short ones."""
        if self._options.processes is not None:
            return PROCESS_SECONDS
        return min(PROCESS_SECONDS, _MEASURING_SHARE * self._options.budget_seconds / (groups * FEWEST))

    def _shorten(self, timed: Sequence[Group]) -> None:
        """Fewer rounds, where the first pass took so long that there would be no five of it."""
        passed = sum(group.cost_seconds for group in timed)
        measuring = sum(group.rounds * group.round_seconds for group in timed)
        excess = passed - (passed + self._seconds_left()) / FEWEST
        if self._options.processes is None and excess > 0 and measuring:
            for group in timed:
                group.shorten(1 - excess / measuring)

    def _turn_knobs(self) -> None:
        """The knob matrix, after everything else: whoever interrupts it has his run."""
        store, message = self._targets[""].store, self._progress.message
        matrix = Matrix(
            [group.on_side("") for group in self._groups],
            self._options.kind,
            self._crew,
            make=self._maker,
            keep=store.append,
            earlier=[record for record in self._earlier if record.knobs],
        )
        with tempfile.TemporaryDirectory(prefix="bench-bits-") as folder:
            matrix.check(Path(folder), message)
        matrix.price(self._options.budget_seconds, message)

    def _choose(self, timed: Sequence[Group]) -> list[Group]:
        """The groups of the next pass; empty ends the run."""
        alive = [group for group in timed if group.alive]
        wanted = self._options.processes
        if wanted is not None:
            self._stops = {g.name: "precise" if self._is_precise(g) else "" for g in alive}
            return [group for group in alive if group.processes < wanted]
        series = {g.name: tuple(tuple(r) for r in self._ratios[g.name].values()) for g in alive}
        costs = {g.name: g.cost_seconds for g in alive}
        left = self._seconds_left()
        stops = stopping.decide(
            series,
            precision=self._options.precision,
            seconds_left=left,
            cost_seconds=costs,
        )
        # A run that goes on does not know yet what a process costs, and its time may be over.
        late = {group.name for group in alive if self._out_of_time(group)}
        self._unstable |= {g for g, stop in stops.items() if stop == "unstable"}
        self._stops = {g: self._stop(g, stop, late) for g, stop in stops.items()}
        names = set(
            stopping.next_groups(
                series,
                self._stops,
                precision=self._options.precision,
                seconds_left=left,
                cost_seconds=costs,
            )
        )
        return [group for group in alive if group.name in names]

    def _stop(self, group: str, stop: StopReason, late: Collection[str]) -> StopReason:
        """What once was too unsteady for the budget stays so, unless it becomes precise after all."""
        if stop == "precise":
            return stop
        return "unstable" if group in self._unstable else "budget" if group in late else stop

    def _out_of_time(self, group: Group) -> bool:
        """Whether the budget has no room for another process of a group; a first one is always granted."""
        late = self._seconds_left() <= group.cost_seconds
        return self._options.processes is None and bool(group.processes) and late

    def _seconds_expected(self, timed: Sequence[Group]) -> float:
        """How long the rest will take, as far as costs and spreads are known, with the reports that follow."""
        wanted, seconds = self._options.processes, 0.0
        usual = statistics.fmean([g.cost_seconds for g in timed if g.cost_seconds] or [0.0])
        for group in timed:
            if group.alive and not (wanted is None and self._stops.get(group.name)):
                expected = wanted or stopping.processes_expected(
                    self._ratios[group.name].values(), precision=self._options.precision
                )
                seconds += (group.cost_seconds or usual) * max(0, expected - group.processes)
        if not wanted:
            left = max(0.0, self._seconds_left())
            seconds = left if "unstable" in self._stops.values() else min(seconds, left)
        return seconds + _REPORTING_SECONDS * len({group.found.benchmark.name for group in self._groups})

    def _seconds_left(self) -> float:
        return self._deadline - time.monotonic()

    def _reached(self) -> dict[str, float]:
        """group -> half-width of its widest ratio so far; a group is not in it while it has none."""
        widest = {g.name: stopping.widest(self._ratios[g.name].values()) for g in self._groups}
        return {name: width for name, width in widest.items() if width is not None}

    def _is_precise(self, group: Group) -> bool:
        widest = stopping.widest(self._ratios[group.name].values())
        return widest is not None and widest <= self._options.precision

    def _maker(self, group: Group) -> MakeRecord:
        return functools.partial(self._record, group)

    def _record(self, group: Group, member: Member, **measured: Any) -> Record:
        target = self._targets[member.side]
        return Record(
            case=member.case,
            version=group.found.version,
            environment=target.environment,
            run=target.manifest.run,
            time=now(),
            knobs=member.knobs,
            **measured,
        )


def now() -> str:
    """UTC, to the second, in ISO 8601."""
    return datetime.now(timezone.utc).strftime("%Y-%m-%dT%H:%M:%SZ")
