"""Runs of the same code against itself, some with a planted slowdown: what `bench calibrate` measures."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path

from bench.analysis.calibrate import calibrate
from bench.analysis.environment_facts import FACTS
from bench.analysis.rates import Calibration
from bench.analysis.summary import summarise
from bench.discover import Found
from bench.measure import lock, schedule
from bench.measure.group import Group
from bench.measure.runner import Options, Progress, Run, make_groups
from bench.measure.session import choose, new_manifest, opened
from bench.measure.workers import Launcher, prepared
from bench.model import Estimate, Manifest, Value
from bench.store import MANIFEST, read_environments, read_manifest, read_records


def measure_calibration(
    paths: Sequence[str],
    options: Options,
    *,
    folder: Path,
    repeats: int,
    shares: Sequence[float],
    keyword: str,
    command: Sequence[str],
    wait_seconds: float,
    progress: Progress,
) -> None:
    """``repeats`` runs of the same code and as many with each share of extra work, each in a report folder of its own.

    The kinds of runs follow each other in an order that rotates, so that drift favours none of them.
    """
    kinds = (0.0, *shares)
    with prepared() as launcher, lock.hold(options.device, wait_seconds, progress.message):
        found, cases = choose(paths, options, keyword)
        manifest = new_manifest(folder.name, paths, found, cases, options, command)
        for repeat in range(repeats):
            for share in schedule.rotated(kinds, repeat):
                progress.message(f"run {repeat + 1} of {repeats}" + (f", {share:.1%} slower" if share else ""))
                _measure_one(found, manifest, options, folder / _name(repeat, share), launcher, share, progress)


def _name(repeat: int, share: float) -> str:
    return f"run-{repeat + 1:02d}{planted(share)}"


def planted(share: float) -> str:
    """How a share of extra work ends the name of its runs' folders: ``+0.05``; two shares need two names."""
    return f"+{share:.3g}" if share else ""


def _whole_runs(folder: Path, repeats: int, share: float = 0.0) -> list[Path]:
    """The folders of those runs with so much extra work that came to their end."""
    folders = (folder / _name(repeat, share) for repeat in range(repeats))
    return [run for run in folders if (run / MANIFEST).exists() and read_manifest(run).finished]


def judge_calibration(folder: Path, repeats: int, shares: Sequence[float]) -> Calibration:
    """What the whole runs in a folder say of this machine.  Raises BenchError where they are too few."""
    runs = _whole_runs(folder, repeats)
    return calibrate(
        [_estimates(run) for run in runs],
        {share: [_estimates(run) for run in _whole_runs(folder, repeats, share)] for share in shares},
        machine=_machine(runs[0]) if runs else {},
        measured=read_manifest(runs[0]).started if runs else "",
    )


def _measure_one(
    found: Sequence[Found],
    manifest: Manifest,
    options: Options,
    folder: Path,
    launcher: Launcher,
    share: float,
    progress: Progress,
) -> None:
    own = dataclasses.replace(manifest, run=f"{manifest.run}/{folder.name}")
    groups = [_slowed(group, share) for group in make_groups(found, manifest.cases, options)]
    with opened(folder, own, launcher) as target:
        Run(options, groups, {"": target}, progress=progress).go()


def _slowed(group: Group, share: float) -> Group:
    """Every member takes ``share`` longer: the two runs then differ by that, and by nothing else."""
    members = {name: dataclasses.replace(member, extra=share) for name, member in group.members.items()}
    return dataclasses.replace(group, members=members)


def _estimates(folder: Path) -> tuple[Estimate, ...]:
    records, _ = read_records(folder)
    return summarise(read_manifest(folder), read_environments(folder), records).estimates


def _machine(folder: Path) -> dict[str, Value]:
    """The facts that say whether a later report is of the same machine."""
    facts = next(iter(read_environments(folder).values())).facts
    return {key: facts[key] for key in sorted(facts) if key in FACTS and FACTS[key].kind == "machine"}
