"""``calibrate``, ``doctor`` and ``list``: what this machine and these suites can tell."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import Annotated

import typer

from bench.analysis import gate
from bench.cli import options as o
from bench.cli.options import make_options, seconds
from bench.cli.saying import progress_until_done, say, typed


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
    from rich.console import Console

    from bench.analysis.calibrate import dumps
    from bench.claims import parse_fraction
    from bench.measure import session
    from bench.measure.calibration import measure_calibration
    from bench.report.calibration import show, write_picture
    from bench.store import write_atomically

    options = make_options(device, tier, processes)
    folder = Path(output) if output else session.calibration_folder(options)
    shares = [parse_fraction(part.strip(), where="--inject") for part in inject.split(",") if part.strip()]
    measure = functools.partial(measure_calibration, paths, options, folder=folder, repeats=repeats, shares=shares)
    with progress_until_done() as progress:
        calibration = measure(keyword=keyword, command=typed(), wait_seconds=seconds(wait, "--wait"), progress=progress)
    write_atomically(folder / "calibration.json", dumps(calibration))
    write_picture(calibration, folder)
    show(calibration, Console())
    say(f"calibration: {folder / 'calibration.json'}")


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
