"""Which processes repeat a case, and what they say together: the runner's side of the determinism checks.

The process of the facts repeats the call; one more process is compared with it, in which other variants ran before.
"""

from __future__ import annotations

import dataclasses
import functools
import hashlib
from collections import defaultdict
from collections.abc import Callable, Sequence
from pathlib import Path

from bench.analysis.determinism_words import shown, worst
from bench.errors import BenchError
from bench.measure.crew import Crew
from bench.measure.group import Group
from bench.measure.messages import Close, Failure, Open, Probe, Reply
from bench.measure.workers import Worker, WorkerDied
from bench.model import Check, Record

# Repeats in one process, and the seconds they may take, by level: 20 without a difference mean fewer than 14 %.
EFFORTS = {"quick": (20, 0.03), "full": (20, 0.1)}

Lend = Callable[[], Worker]


def repeating(level: str, folder: Path) -> Callable[[Open], Probe] | None:
    """How the process of the facts is asked to repeat a case and to keep its results in ``folder``, if it is."""
    if level == "off":
        return None
    repeats, seconds = EFFORTS[level]

    def probe(case: Open) -> Probe:
        return Probe(case=case, level=level, repeats=repeats, seconds=seconds, keep=str(file_of(folder, case)))

    return probe


def with_other_process(
    group: Group, records: Sequence[Record], crew: Crew, level: str, folder: Path, side: str = ""
) -> list[Record]:
    """The records of a side's process 0 with what one more got, where each variant is called after another one."""
    repeated = {record.case for record in records if record.status == "ok"} if level != "off" else set()
    kept = [name for name, member in group.members.items() if member.side == side and member.case in repeated]
    together = [name for name in kept if group.settings(name) is None]
    replies: dict[str, list[Reply]] = defaultdict(list)
    lend = functools.partial(crew.shared, side, role="another process")
    # The last goes first, so that there is nobody whom nobody went before.
    for name in (*(together[-1:] if len(together) > 1 else ()), *together):
        replies[name].append(ask_checking(lend, _comparing(group, name, level, folder), crew, group.limit_seconds))
    if together:
        ask_checking(lend, Close(), crew, group.limit_seconds)
    crew.end_process()
    for name in kept:
        if name not in together:
            replies[name].append(_ask_alone(group, name, level, folder, crew))
        file_of(folder, group.open(name)).unlink(missing_ok=True)
    of = {group.members[name].case: found for name, found in replies.items()}
    return [_joined(record, of[record.case]) if record.case in of else record for record in records]


def _comparing(group: Group, name: str, level: str, folder: Path) -> Probe:
    case = group.open(name)
    return Probe(case=case, level=level, against=str(file_of(folder, case)))


def _ask_alone(group: Group, name: str, level: str, folder: Path, crew: Crew) -> Reply:
    worker = crew.isolated(group.members[name].side, settings=group.settings(name))
    try:
        return ask_checking(lambda: worker, _comparing(group, name, level, folder), crew, group.limit_seconds)
    finally:
        crew.drop(worker)


def ask_checking(lend: Lend, request: Probe | Close, crew: Crew, limit_seconds: float) -> Reply:
    """The reply; a worker that dies or breaks is replaced for the next one who asks."""
    try:
        worker = lend()
    except BenchError as error:  # a switch that this torch does not have
        return Reply(failure=Failure(status="skipped", reason=str(error)))
    try:
        reply = worker.ask(request, limit_seconds=limit_seconds)
    except WorkerDied as died:
        crew.drop(worker)
        return Reply(failure=Failure(status=died.status, reason=died.reason))
    if reply.failure is not None and reply.failure.fatal:
        crew.drop(worker)
    return reply


def _joined(record: Record, replies: Sequence[Reply]) -> Record:
    """A record with the checks of other processes, and without a hash where they differ."""
    checks = merged([check for reply in replies for check in reply.checks])
    lost = [f"another process could not repeat it: {r.failure.reason}" for r in replies if r.failure]
    differing = {f"bits/{check.what.partition('/')[0]}" for check in checks if check.verdict == "differs"}
    return dataclasses.replace(
        record,
        checks=(*record.checks, *checks),
        values={name: "differs" if name in differing else value for name, value in record.values.items()},
        warnings=(*record.warnings, *lost),
    )


def merged(checks: Sequence[Check]) -> list[Check]:
    """One check for all that compare the same result between processes: repeats add up, one difference is told."""
    found: dict[str, list[Check]] = defaultdict(list)
    for check in checks:
        found[check.what].append(check)
    return [_sum(same) if what.endswith("/processes") else same[0] for what, same in found.items()]


def _sum(checks: Sequence[Check]) -> Check:
    repeats, differing = sum(c.repeats for c in checks), sum(c.differing for c in checks)
    first = next((c for c in checks if c.differing), checks[0])
    reason = shown(repeats, differing) + (f"; {first.reason}" if first.reason else "")
    verdict = worst(*(c.verdict for c in checks))  # type: ignore[arg-type]  # determinism checks hold a Repeatability
    return dataclasses.replace(first, repeats=repeats, differing=differing, verdict=verdict, reason=reason)


def file_of(folder: Path, case: Open, cell: str = "") -> Path:
    """Where the results of a case in a cell of the knob matrix are kept."""
    name = f"{case.file} {case.benchmark} {case.variant} {case.point} {cell}"
    return folder / f"{hashlib.sha256(name.encode()).hexdigest()[:16]}.pt"
