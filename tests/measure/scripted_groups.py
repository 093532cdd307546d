"""Groups, suites and crews for tests that go through the scripted launcher."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from bench.discover import Found
from bench.measure.crew import Crew, Side
from bench.measure.group import Group, Member, gather_facts, measure_process
from bench.model import Record
from bench.suite import Settings, Subject, benchmark
from bench.testing import ScriptedLauncher

Lines = Mapping[str, Sequence[float]]


def never_built(value: object, n: int) -> Subject:
    """Scripted workers build nothing."""
    raise AssertionError


def found(*names: str, settings: Mapping[str, Settings] | None = None, name: str = "question", **fields: Any) -> Found:
    """A benchmark with these variants; ``settings`` by variant, ``fields`` as in @benchmark."""
    variants = {variant: (settings or {}).get(variant) for variant in names}
    never_built.__name__ = name
    declared = benchmark(**{"variants": variants, "cpu": {"n": [1]}, "phases": ("forward",), **fields})(never_built)
    return Found(suite="odd", benchmark=declared, path=Path("odd/question.py"), version="v1")


def group(*names: str, sides: Sequence[str] = ("",), **fields: Any) -> Group:
    """The first point of ``found(*names, …)`` as a group, on one side or several."""
    asked = found(*names, **fields)
    cases = asked.benchmark.cases("odd", "cpu", "smoke")
    members = [Member(case=case, side=side) for case in cases for side in sides]
    return Group(
        name=cases[0].group,
        found=asked,
        members={member.name: member for member in members},
        seed=0,
        limit_seconds=1.0,
    )


def crew(launcher: ScriptedLauncher, *, cheap: bool = True, sides: Sequence[str] = ("",)) -> Crew:
    return Crew({side: Side(launcher=launcher) for side in sides}, "cpu", cheap=cheap)


def record(member: Member, **measured: Any) -> Record:
    return Record(case=member.case, version="v1", **measured)


def measured(of: Group, launcher: ScriptedLauncher, *, cheap: bool = True) -> list[Record]:
    """One process of a group, ended as the runner ends it."""
    sides = sorted({member.side for member in of.members.values()})
    lent = crew(launcher, cheap=cheap, sides=sides)
    records = measure_process(of, lent, record)
    lent.end_process()
    return records


def facts(of: Group, launcher: ScriptedLauncher, *, cheap: bool = True) -> list[Record]:
    sides = sorted({member.side for member in of.members.values()})
    return gather_facts(of, of.alive, crew(launcher, cheap=cheap, sides=sides), record)
