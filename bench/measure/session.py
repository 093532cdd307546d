"""From what the user typed to a run in a report folder."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import re
from collections.abc import Iterator, Sequence
from datetime import datetime, timezone
from importlib.metadata import version
from pathlib import Path

from bench.discover import Found, discover, matching
from bench.errors import BenchError
from bench.measure import lock
from bench.measure.crew import Side
from bench.measure.reference import ratios
from bench.measure.runner import Options, Progress, Run, Target, make_groups, now
from bench.measure.workers import Launcher, find_python, prepared
from bench.model import Case, Manifest
from bench.store import RECORDS, REFERENCE, Store, read_manifest, read_records, read_reference
from bench.suite import Settings

# Where `run`, `ab`, what `ab` measures again and `calibrate` leave their reports below the folder they are given.
_REPORT_PLACES = ("", "[ab]/", "confirm/[ab]/", "run-*/")


def resolve_device(name: str) -> str:
    """``auto``, ``cpu``, ``cuda`` or ``cuda:N`` -> ``cpu`` or ``cuda:N``.  Raises BenchError when it is not there."""
    os.environ.setdefault("PYTORCH_NVML_BASED_CUDA_CHECK", "1")  # ask the driver: no context in this process
    if name == "cpu":
        return name
    wanted = re.fullmatch(r"auto|cuda(?::(\d+))?", name)
    if wanted is None:
        raise BenchError(f"--device {name!r}: use auto, cpu, cuda or cuda:N")
    index = int(wanted[1] or 0)
    import torch

    count = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if not count:
        if name == "auto":
            return "cpu"
        raise BenchError(
            f"--device {name}: no CUDA device here; `bench doctor` says why, --device cpu measures the CPU"
        )
    if index >= count:
        raise BenchError(f"--device {name}: this machine has cuda:0 to cuda:{count - 1}")
    return f"cuda:{index}"


def choose(paths: Sequence[str], options: Options, keyword: str) -> tuple[tuple[Found, ...], tuple[Case, ...]]:
    """The cases that a run measures, and their benchmarks beside those that do not apply to the device.

    Raises BenchError when nothing is left.
    """
    found = discover(paths)
    fits = matching(keyword) if keyword else lambda _: True
    chosen: list[Case] = []
    for f in found:
        cases = f.benchmark.cases(f.suite, options.kind, options.tier)
        groups = {case.group for case in cases if fits(case.id)}
        # A ratio needs its baseline: choosing one variant chooses that too.
        chosen += [c for c in cases if fits(c.id) or (c.is_baseline and c.group in groups)]
    kept = {case.name_of_benchmark for case in chosen}
    skipped = {f.name: f.benchmark.skip_reason(options.kind) for f in found if fits(f.name)}
    reason = next(filter(None, skipped.values()), "")
    if not chosen and reason:
        raise BenchError(f"nothing to measure on {options.kind}: {reason}")
    if not chosen:
        raise BenchError(f"-k {keyword!r} matches none of the cases; `bench list` shows their names")
    return tuple(f for f in found if f.name in kept or skipped.get(f.name)), tuple(chosen)


def new_folder(options: Options, output: str) -> Path:
    """Where a run lands: ``--output``, else ``reports/local/<UTC time>-<device>-torch<version>``."""
    if output:
        return unused(Path(output))
    return _fresh(f"{options.kind}-torch{version('torch').partition('+')[0]}")


def unused(folder: Path) -> Path:
    """The folder, if it holds no report of `run`, `ab` or `calibrate`.  Raises BenchError naming the one it holds."""
    for place in _REPORT_PLACES:
        for records in sorted(folder.glob(f"{place}{RECORDS}")):
            if not place:
                raise BenchError(
                    f"{folder} already holds a report; name another --output, or go on with --resume {folder}"
                )
            raise BenchError(f"{folder} already holds the report {records.parent}; name another --output")
    return folder


def calibration_folder(options: Options) -> Path:
    """Where a calibration lands when the user names no place: beside the runs, so that `compare` finds it."""
    return _fresh(f"{options.kind}-calibration")


def _fresh(name: str) -> Path:
    stamp = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    base = Path("reports/local") / f"{stamp}-{name}"
    folder, number = base, 1
    while folder.exists():
        number += 1
        folder = base.with_name(f"{base.name}-{number}")
    return folder


def measure(
    paths: Sequence[str],
    options: Options,
    *,
    folder: Path,
    launcher: Launcher,
    keyword: str,
    command: Sequence[str],
    wait_seconds: float,
    progress: Progress,
    reference: str = "",
) -> None:
    """Measure into a new folder; what is known stays there however this ends.

    ``reference``: a Python whose environment is kept, beside which every case is timed.
    """
    found, cases = choose(paths, options, keyword)
    manifest = new_manifest(folder.name, paths, found, cases, options, command)
    manifest = dataclasses.replace(manifest, reference=reference)
    _go(found, manifest, options, folder, launcher, wait_seconds, progress)


def new_manifest(
    run: str,
    paths: Sequence[str],
    found: Sequence[Found],
    cases: Sequence[Case],
    options: Options,
    command: Sequence[str],
) -> Manifest:
    """What a run that begins now sets out to measure."""
    return Manifest(
        run=run,
        command=tuple(command),
        paths=tuple(paths),
        device=options.device,
        tier=options.tier,
        seed=options.seed,
        precision=options.precision,
        budget=options.budget_seconds,
        started=now(),
        declarations=tuple(f.declaration(options.kind) for f in found),
        cases=tuple(cases),
        determinism=options.determinism,
    )


def resume(folder: Path, options: Options, *, launcher: Launcher, wait_seconds: float, progress: Progress) -> None:
    """Finish an interrupted run with what its manifest says; ``options`` gives budget and limits."""
    manifest = read_manifest(folder)
    options = dataclasses.replace(
        options,
        device=manifest.device,
        seed=manifest.seed,
        precision=manifest.precision,
        determinism=manifest.determinism,
    )
    found = discover(manifest.paths)
    versions = {f.name: f.version for f in found}
    for declared in manifest.declarations:
        if versions.get(declared.name) != declared.version:
            raise BenchError(f"{declared.name} has changed since {folder} was begun, or is gone: start a new run")
    _go(found, manifest, options, folder, launcher, wait_seconds, progress)


def _go(
    found: tuple[Found, ...],
    manifest: Manifest,
    options: Options,
    folder: Path,
    launcher: Launcher,
    wait: float,
    progress: Progress,
) -> None:
    with contextlib.ExitStack() as stack:
        kept = manifest.reference and find_python(manifest.reference, "--reference")
        theirs = stack.enter_context(prepared(kept)) if kept else None
        stack.enter_context(lock.hold(options.device, wait, progress.message))
        targets = {"": stack.enter_context(opened(folder, manifest, launcher))}
        if theirs is not None:
            own = dataclasses.replace(manifest, run=f"{manifest.run}/{REFERENCE}", reference="")
            targets[REFERENCE] = stack.enter_context(opened(folder / REFERENCE, own, theirs))
        earlier = (*read_records(folder)[0], *read_reference(folder))
        groups = make_groups(found, manifest.cases, options, sides=tuple(targets))
        Run(options, groups, targets, progress=progress, earlier=earlier, ratios=ratios).go()


@contextlib.contextmanager
def opened(folder: Path, manifest: Manifest, launcher: Launcher, settings: Settings | None = None) -> Iterator[Target]:
    """A folder to measure into, with its manifest written; its store closes however this ends."""
    with contextlib.closing(Store(folder)) as store:
        store.write_manifest(manifest)
        yield Target(side=Side(launcher=launcher, settings=settings), store=store, manifest=manifest)
