"""Two Python environments, or two settings, on one machine: every sample of one next to a sample of the other."""

from __future__ import annotations

import contextlib
import dataclasses
import math
from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from bench.analysis.change import Comparison
from bench.analysis.compare import compare
from bench.analysis.intervals import ProcessValue
from bench.analysis.judging import Rule
from bench.analysis.measured import Ratios, side_log_ratios
from bench.errors import BenchError, hint
from bench.interop.reading import read
from bench.measure import lock
from bench.measure.runner import Options, Progress, Run, make_groups
from bench.measure.session import choose, new_manifest, opened
from bench.measure.workers import find_python, prepared
from bench.model import Record, grouped
from bench.store import RECORDS, read_records
from bench.suite import Settings

SIDES = ("a", "b")
_SETTINGS = tuple(f for f in dataclasses.fields(Settings) if f.name != "environment")


@dataclass(frozen=True, slots=True, kw_only=True)
class Arm:
    """One side: its Python, its environment variables (set before torch is imported) and its settings."""

    python: str
    settings: Settings = field(default_factory=Settings)


def measure_ab(
    paths: Sequence[str],
    options: Options,
    *,
    folder: Path,
    arms: Mapping[str, Arm],
    keyword: str,
    command: Sequence[str],
    wait_seconds: float,
    progress: Progress,
    only: Collection[str] = (),
) -> None:
    """Measure both sides into ``folder/a`` and ``folder/b``: two ordinary reports whose processes are paired.

    ``only``: ids of the cases to measure; empty means all.
    """
    with contextlib.ExitStack() as stack:
        launchers = {
            side: stack.enter_context(prepared(arms[side].python, arms[side].settings.environment)) for side in SIDES
        }
        found, cases = choose(paths, options, keyword)
        cases = tuple(case for case in cases if not only or case.id in only)
        groups = make_groups(found, cases, options, sides=SIDES)
        stack.enter_context(lock.hold(options.device, wait_seconds, progress.message))
        targets = {}
        for side, launcher in launchers.items():
            manifest = new_manifest(f"{folder.name}/{side}", paths, found, cases, options, command)
            targets[side] = stack.enter_context(opened(folder / side, manifest, launcher, arms[side].settings))
        Run(options, groups, targets, progress=progress, ratios=ratios_of_sides).go()


def ratios_of_sides(records: Sequence[Record]) -> Ratios:
    """(variant, phase) -> log of b's time over a's in one process, median over rounds that are valid for both."""
    a, b = ([record for record in records if record.run.endswith(f"/{side}")] for side in SIDES)
    return side_log_ratios(b, a)


def paired_ratios(folder: Path) -> dict[tuple[str, str], list[ProcessValue]]:
    """(case, metric) -> log ratio of each process and its variance, of what ``measure_ab`` left in a folder."""
    timed = [record for side in SIDES for record in read_records(folder / side)[0] if record.samples]
    ratios: dict[tuple[str, str], list[ProcessValue]] = defaultdict(list)
    for (case, _), pair in grouped(timed, lambda record: (record.case.id, record.process)).items():
        if len(pair) == len(SIDES):
            for (_, phase), ratio in ratios_of_sides(pair).items():
                ratios[case, f"time/{phase}"].append(ratio)
            for a, b in zip(*(record.samples for record in pair), strict=False):
                if a.first_call and b.first_call:
                    ratios[case, f"first_call/{a.phase}"].append(ProcessValue(math.log(b.first_call / a.first_call)))
    return ratios


def parse_arm(python: str, settings: Sequence[str] | None, environment: Sequence[str] | None, *, side: str) -> Arm:
    """An arm from ``cudnn.benchmark=true`` and ``OMP_NUM_THREADS=1``.  Raises BenchError with a suggestion."""
    found = find_python(python, f"--{side}")
    pairs = [_pair(text, f"--{side}-env") for text in environment or ()]
    fields = {f.name: str(f.type) for f in _SETTINGS}
    values: dict[str, Any] = {}
    for key, text in (_pair(text, f"--{side}-setting") for text in settings or ()):
        name = key.replace(".", "_")
        if name not in fields:
            raise BenchError(f"--{side}-setting {key}: no such setting; {hint(name, fields, 'the settings are')}")
        values[name] = _value(text, fields[name], f"--{side}-setting {key}")
    return Arm(python=found, settings=Settings(**values, environment=dict(pairs)))


def _pair(text: str, option: str) -> tuple[str, str]:
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise BenchError(f"{option} {text!r}: write NAME=VALUE")
    return key, value


def _value(text: str, kind: str, where: str) -> bool | int | str:
    if kind.startswith("bool"):
        if text.lower() not in ("true", "false"):
            raise BenchError(f"{where}={text}: write true or false")
        return text.lower() == "true"
    if kind.startswith("int"):
        if not text.isdigit():
            raise BenchError(f"{where}={text}: write a whole number")
        return int(text)
    return text


def has_both_sides(folder: Path) -> bool:
    """Whether something is known of each side, so that there is anything to compare."""
    return all((folder / side / RECORDS).exists() and read_records(folder / side)[0] for side in SIDES)


def judge_ab(folder: Path, *, floor: float, arms: Mapping[str, Arm] | None = None) -> Comparison:
    """What ``measure_ab`` left, compared pair by pair.  Whatever differs between the sides is what was asked about.

    ``arms``: what was asked about, beyond what the sides know of themselves.
    Multiply-adds that one side lacks are no loss: it has no thop, and they are the suite's, not the environment's.
    """
    asked, reports = _asked(arms or {}), {side: read(folder / side) for side in SIDES}
    sides = [replace(report, facts={**asked.get(side, {}), **report.facts}) for side, report in reports.items()]
    comparison = compare(sides, rule=Rule(floor=floor), allow=("*",), paired=paired_ratios(folder))
    pairs = tuple(
        replace(pair, changes=tuple(c for c in pair.changes if c.metric != "work/macs(thop)" or c.state == "same"))
        for pair in comparison.pairs
    )
    return replace(comparison, pairs=pairs)


def _asked(arms: Mapping[str, Arm]) -> dict[str, dict[str, tuple[str, ...]]]:
    """Side -> facts for whatever the two were asked to differ in; what only one was told, the other leaves as it is."""
    told = {side: {"interpreter": arm.python, **_switches(arm.settings)} for side, arm in arms.items()}
    names = {name for facts in told.values() for name in facts}
    return {side: {name: (facts.get(name, "as it is"),) for name in sorted(names)} for side, facts in told.items()}


def _switches(settings: Settings) -> dict[str, str]:
    """What settings say, by names as facts have them."""
    variables = {f"env.{name}": text for name, text in settings.environment.items()}
    values = {f.name: getattr(settings, f.name) for f in _SETTINGS}
    return variables | {f"setting.{name}": str(value) for name, value in values.items() if value is not None}
