"""``calibrate``, ``doctor`` and ``list``: what this machine and these suites can tell."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated

import typer

from bench.analysis import gate
from bench.cli import options as o
from bench.cli.options import make_options, seconds
from bench.cli.saying import console, finish, remark, say, typed
from bench.errors import BenchError


def calibrate(
    paths: o.Paths,
    repeats: Annotated[int, typer.Option(help="Runs of the same code.")] = 6,
    inject: Annotated[str, typer.Option(metavar="SHARES", help="Slowdowns to plant: 2%,5%,10%.")] = "",
    device: o.Device = "auto",
    tier: o.Tier = "standard",
    processes: Annotated[int, typer.Option(help="Processes of every group in each run.")] = 12,
    keyword: o.Keyword = "",
    output: o.Output = "",
    wait: o.Wait = "0s",
) -> None:
    """This machine's false-alarm rate and smallest visible change."""
    from bench.measure import session
    from bench.measure.calibration import measure_calibration

    shares = _shares(inject)
    _check_enough(repeats, processes)
    options = make_options(device, tier, processes)
    folder = session.unused(Path(output)) if output else session.calibration_folder(options)
    measure = functools.partial(measure_calibration, paths, options, folder=folder, repeats=repeats, shares=shares)
    measure = functools.partial(measure, keyword=keyword, command=typed(), wait_seconds=seconds(wait, "--wait"))
    if finish(measure):
        _judge(folder, repeats, shares)
        return
    if folder.exists():
        remark(f"bench: calibrating from the whole ones among the runs in {folder}")
        try:
            _judge(folder, repeats, shares)
        except BenchError as error:
            remark(f"bench: {error}")
    raise typer.Exit(gate.INTERRUPTED)


def _judge(folder: Path, repeats: int, shares: Sequence[float]) -> None:
    """Judge what was measured, keep and print it.  Raises BenchError where it is too little."""
    from bench.interop.calibrations import FILE, dumps
    from bench.measure.calibration import judge_calibration
    from bench.report.calibration import show, write_picture
    from bench.store import write_atomically

    calibration = judge_calibration(folder, repeats, shares)
    write_atomically(folder / FILE, dumps(calibration))
    write_picture(calibration, folder)
    show(calibration, console())
    say(f"calibration: {folder / FILE}")


def _shares(inject: str) -> list[float]:
    """The slowdowns to plant.  Raises BenchError for one that is none, and for one named twice."""
    from bench.claims import parse_fraction
    from bench.measure.calibration import planted

    shares = [parse_fraction(part.strip(), where="--inject") for part in inject.split(",") if part.strip()]
    if 0 in shares:
        raise BenchError("--inject 0%: runs without a slowdown are measured anyway; name larger ones, as in 2%,5%,10%")
    if len({planted(share) for share in shares}) < len(shares):
        raise BenchError(f"--inject {inject!r} names a slowdown twice: name each once, as in 2%,5%,10%")
    return shares


def _check_enough(repeats: int, processes: int) -> None:
    """Refuse before measuring what would be too little to calibrate from.  Raises BenchError naming the option."""
    from bench.analysis.calibrate import FEWEST_RUNS
    from bench.analysis.intervals import FEWEST

    if repeats < FEWEST_RUNS:
        raise BenchError(f"--repeats must be at least {FEWEST_RUNS}, and 3 to tell the smallest visible change")
    if processes < FEWEST:
        raise BenchError(f"--processes must be at least {FEWEST}: fewer give no interval to judge by")


def doctor(json: o.Json = False) -> None:
    """What this machine can measure, and what is wrong with it."""
    from bench.measure.doctor import diagnose
    from bench.report.findings import as_json, as_text

    findings = diagnose()
    say((as_json if json else as_text)(findings))
    if any(finding.level == "problem" for finding in findings):
        raise typer.Exit(gate.INVALID)


def list_(
    paths: o.Paths = ["suites"],  # noqa: B006  typer copies it
    device: o.Device = "auto",
    tier: o.Tier = "standard",
    keyword: o.Keyword = "",
    json: o.Json = False,
) -> None:
    """Show cases, axes, claims and notes."""
    from bench.measure.session import choose
    from bench.report.listing import as_json, as_text

    found, cases = choose(paths, make_options(device, tier), keyword)
    kind = cases[0].device
    declarations = tuple(f.declaration(kind) for f in found)
    say((as_json if json else as_text)(declarations, cases))
