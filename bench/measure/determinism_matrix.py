"""The knob matrix of a run: whether each case repeats in each cell, how far from the default, and at what price."""

from __future__ import annotations

import functools
import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import zip_longest
from pathlib import Path

from bench.analysis.intervals import FEWEST
from bench.measure.crew import Crew
from bench.measure.determinism_processes import ask_checking, file_of, merged
from bench.measure.group import Group, MakeRecord, Member, measure_process
from bench.measure.knobs import Cell, cells
from bench.measure.messages import Close, Open, Probe, Reply
from bench.model import Record

# Repeats in one process of a cell, and the seconds they may take.
_REPEATS, _SECONDS = 10, 0.05


@dataclass(frozen=True, slots=True, kw_only=True)
class Seat:
    """A case in a cell, and the group that it comes from."""

    group: Group
    member: Member

    def open(self) -> Open:
        """The request that builds it."""
        return replace(self.group.open(self.member.case.variant), settings=self.member.settings)


def seats(groups: Sequence[Group], cell: Cell) -> list[Seat]:
    """The cases that a cell can say something of.

    Not variants that set switches themselves: they are cells already.  Questions that are not timed, most of them of
    shapes and memory, are only asked where the bits must be the same or where something may raise.
    """
    return [
        Seat(group=group, member=Member(case=group.members[name].case, knobs=cell.name, settings=cell.settings))
        for group in groups
        if group.found.benchmark.phases or cell.must_agree or cell.may_raise
        for name in group.alive
        if group.settings(name) is None
    ]


class Matrix:
    """The knob matrix of one run in progress.  ``make``: group -> maker of its records; ``keep``: what becomes of one.

    ``earlier``: records of an interrupted run, which are not measured again.
    """

    def __init__(
        self,
        groups: Sequence[Group],
        kind: str,
        crew: Crew,
        *,
        make: Callable[[Group], MakeRecord],
        keep: Callable[[Record], None],
        earlier: Sequence[Record] = (),
    ) -> None:
        self._groups, self._cells, self._crew = groups, cells(kind), crew
        self._make, self._keep_record = make, keep
        self._known: dict[tuple[str, str], list[Record]] = defaultdict(list)
        for record in earlier:
            self._known[record.case.id, record.knobs].append(record)

    def check(self, folder: Path, message: Callable[[str], None]) -> None:
        """Every cell in turn, over all cases: repeats in one process, and what another one gets."""
        for cell in self._cells:
            taken = [s for s in seats(self._groups, cell) if (s.member.case.id, cell.name) not in self._known]
            if cell.is_default:
                taken = seats(self._groups, cell)  # the others are compared with what it keeps now
            elif taken:
                message(f"{cell.name}: {len(taken)} cases repeated")
            for seat, replies in checked(cell, taken, self._crew, folder):
                self._keep(_record(seat, replies, self._make(seat.group)))

    def price(self, budget_seconds: float, message: Callable[[str], None]) -> None:
        """Time the cells of each case against each other, as many cases as fit into the budget.

        What the first pass reaches in its share of the time is measured in as many processes as an interval needs.
        """
        broken = {key for key, records in self._known.items() if any(r.status != "ok" for r in records)}
        reached = priced(self._groups, self._cells, broken)
        message(f"the price of determinism: up to {len(reached)} cases")
        start = time.monotonic()
        for number in range(1, FEWEST + 1):
            waiting, reached = reached, []
            for group in waiting:
                if number == 1 and reached and time.monotonic() - start > budget_seconds / FEWEST:
                    break
                self._measure(group, number)
                reached.append(group)
            self._crew.end_pass()

    def _measure(self, group: Group, number: int) -> None:
        done = {r.process for cell in group.members for r in self._known[group.name, cell]}
        if number in done:
            return
        group.processes = number - 1
        for record in measure_process(group, self._crew, self._make(group)):
            self._keep(record)
        self._crew.end_process()

    def _keep(self, record: Record) -> None:
        self._known[record.case.id, record.knobs].append(record)
        self._keep_record(record)


def checked(cell: Cell, taken: Sequence[Seat], crew: Crew, folder: Path) -> Iterator[tuple[Seat, list[Reply]]]:
    """What two processes of a cell say of every case, the second in reverse order.

    The default cell comes first and says nothing: it keeps the results that the others are compared with.
    """
    first = [] if cell.must_agree and not cell.is_default else [(seat, _first(cell, seat, folder)) for seat in taken]
    replies = _process(cell, first, crew)
    if cell.is_default:
        return
    again = [(seat, _second(cell, seat, folder)) for seat in reversed(taken)]
    others = _process(cell, again, crew)[::-1]
    for number, seat in enumerate(taken):
        yield seat, [*replies[number : number + 1], others[number]]


def _first(cell: Cell, seat: Seat, folder: Path) -> Probe:
    case = seat.open()
    base, own = file_of(folder, case), file_of(folder, case, cell.name)
    if cell.is_default:
        return Probe(case=case, level="full", keep=str(base))
    return Probe(
        case=case,
        level="full",
        knobs=cell.name,
        repeats=_REPEATS if seat.group.found.benchmark.phases else 1,
        seconds=_SECONDS,
        keep=str(own),
        against=str(base) if base.exists() else "",
    )


def _second(cell: Cell, seat: Seat, folder: Path) -> Probe | None:
    """None where there is nothing to compare with: the first process has failed."""
    case = seat.open()
    kept = file_of(folder, case, "" if cell.must_agree else cell.name)
    return Probe(case=case, level="full", knobs=cell.name, against=str(kept)) if kept.exists() else None


def _process(cell: Cell, requests: Sequence[tuple[Seat, Probe | None]], crew: Crew) -> list[Reply]:
    """The answers of one process, which goes from group to group."""
    lend = functools.partial(crew.shared, "", settings=cell.settings)
    replies: list[Reply] = []
    for number, (seat, request) in enumerate(requests):
        limit = seat.group.limit_seconds
        if number and requests[number - 1][0].group is not seat.group:
            ask_checking(lend, Close(), crew, limit)
        replies.append(Reply() if request is None else ask_checking(lend, request, crew, limit))
    crew.end_pass()
    return replies


def _record(seat: Seat, replies: Sequence[Reply], record: MakeRecord) -> Record:
    failure = next((reply.failure for reply in replies if reply.failure), None)
    told = dict.fromkeys(warning for reply in replies for warning in reply.warnings)
    return record(
        seat.member,
        process=0,
        status=failure.status if failure else "ok",
        reason=failure.reason if failure else "",
        checks=tuple(merged([check for reply in replies for check in reply.checks])),
        warnings=tuple(told),
    )


def priced(groups: Sequence[Group], cells: Sequence[Cell], out: Collection[tuple[str, str]]) -> list[Group]:
    """A group for each timed case, with the cells as its members: so they are paired within rounds like variants.

    ``out``: case ids and cells that did not work.  In the order in which they are worth having when time is short: the
    last, largest point of every benchmark first.
    """
    made = [
        _priced(group, name, cells, out)
        for group in _last_points_first(groups)
        for name in group.alive
        if group.found.benchmark.phases and group.settings(name) is None
    ]
    return [group for group in made if len(group.members) > 1]


def _priced(group: Group, name: str, cells: Sequence[Cell], out: Collection[tuple[str, str]]) -> Group:
    case = group.members[name].case
    members = [
        Member(case=case, knobs=cell.name, settings=cell.settings)
        for cell in cells
        if cell.is_timed and (case.id, cell.name) not in out
    ]
    return Group(
        name=case.id,
        found=group.found,
        members={member.name: member for member in members},
        seed=group.seed,
        limit_seconds=group.limit_seconds,
    )


def _last_points_first(groups: Sequence[Group]) -> list[Group]:
    by_benchmark: dict[int, list[Group]] = {}
    for group in groups:
        by_benchmark.setdefault(id(group.found), []).append(group)
    rounds = zip_longest(*(reversed(points) for points in by_benchmark.values()))
    return [group for points in rounds for group in points if group is not None]
