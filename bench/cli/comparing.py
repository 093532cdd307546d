"""``compare`` and ``ab``: did anything change?"""

from __future__ import annotations

import dataclasses
import datetime
import functools
import sys
from collections.abc import Callable, Collection
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.analysis import gate
from bench.cli import options as o
from bench.cli.measuring import accepts, summary_of
from bench.cli.options import make_options, seconds
from bench.cli.saying import console, finish, say, typed
from bench.errors import BenchError

if TYPE_CHECKING:
    from bench.analysis.change import Comparison
    from bench.measure.runner import Options

    Judge = Callable[[Path], Comparison]


def compare(
    reports: Annotated[
        list[str], typer.Argument(metavar="BASE NEW…", help="Report folders, CSV files, or other tools' results.")
    ],
    floor: o.Floor = "2%",
    fail_on: o.States = gate.CHANGES_THAT_FAIL,
    allow_diff: Annotated[list[str] | None, typer.Option(metavar="KEY", help="A fact that may differ.")] = None,
    calibration: Annotated[str, typer.Option(metavar="FILE", help="Of this machine; else it is looked for.")] = "",
    form: Annotated[str, typer.Option("--format", help="terminal, markdown, html, json, csv or junit.")] = "terminal",
    output: Annotated[str, typer.Option(metavar="FILE", help="Write there instead of printing.")] = "",
) -> None:
    """Did anything change between two reports, or several?"""
    from bench.analysis.compare import STATUSES, exit_status
    from bench.claims import parse_fraction
    from bench.interop.comparing import compare_paths
    from bench.report.comparison_formats import check_form, render
    from bench.store import write_atomically

    failing = gate.parse_fail_on(fail_on, STATUSES)
    check_form(form)
    allow = [key.strip() for keys in allow_diff or () for key in keys.split(",")]
    comparison = compare_paths(
        reports,
        floor=parse_fraction(floor, where="--floor"),
        allow=allow,
        calibration=Path(calibration) if calibration else None,
    )
    if output:
        write_atomically(Path(output), render(comparison, form, failing))
    elif form == "terminal":
        from bench.report.comparison_terminal import show

        show(comparison, failing, console())
    else:
        say(render(comparison, form, failing).removesuffix("\n"))
    raise typer.Exit(exit_status(comparison, failing))


def ab(
    paths: o.Paths,
    a: Annotated[str, typer.Option(metavar="PYTHON", help="The base: a Python that has torch.")] = sys.executable,
    b: Annotated[str, typer.Option(metavar="PYTHON", help="What is compared with it.")] = sys.executable,
    a_env: o.Pairs = None,
    b_env: o.Pairs = None,
    a_setting: o.Pairs = None,
    b_setting: o.Pairs = None,
    device: o.Device = "auto",
    tier: o.Tier = "standard",
    processes: o.Processes = None,
    precision: o.Precision = "1%",
    budget: o.Budget = "",
    keyword: o.Keyword = "",
    seed: o.Seed = 0,
    floor: o.Floor = "2%",
    confirm: Annotated[bool, typer.Option("--confirm", help="Measure suspects again; only repeats count.")] = False,
    fail_on: o.States = gate.CHANGES_THAT_FAIL,
    determinism: Annotated[str, typer.Option(help="off or quick.")] = "quick",
    output: o.Output = "",
    wait: o.Wait = "0s",
) -> None:
    """The same suites in two Python environments, or under two settings, interleaved on this machine."""
    from bench.analysis import accept
    from bench.analysis.compare import STATUSES, exit_status
    from bench.claims import parse_fraction
    from bench.measure import session
    from bench.measure.ab import judge_ab, measure_ab, parse_arm

    failing, accepted = gate.parse_fail_on(fail_on, STATUSES), accepts()
    arms = {"a": parse_arm(a, a_setting, a_env, side="a"), "b": parse_arm(b, b_setting, b_env, side="b")}
    if determinism == "full":
        raise BenchError("--determinism full: use off or quick; `bench run` turns the knobs of one environment")
    options = make_options(device, tier, processes, precision, budget, seed, determinism=determinism)
    folder, patience = session.new_folder(options, output), seconds(wait, "--wait")
    judge = functools.partial(judge_ab, floor=parse_fraction(floor, where="--floor"), arms=arms)
    measure = functools.partial(measure_ab, paths, arms=arms, keyword=keyword, command=typed(), wait_seconds=patience)
    comparison, finished = _compared(measure, judge, options, folder, confirm=confirm)
    comparison = accept.excuse(comparison, accepted, datetime.date.today())
    _show(comparison, folder, failing)
    raise typer.Exit(exit_status(comparison, failing) if finished else gate.INTERRUPTED)


def _compared(
    measure: Callable[..., None], judge: Judge, options: Options, folder: Path, *, confirm: bool
) -> tuple[Comparison, bool]:
    """Both sides measured and compared, with ``confirm`` suspects twice, and whether that came to its end.

    Raises KeyboardInterrupt when it was interrupted before there was anything to compare.
    """
    from bench.analysis.confirm import confirmed, suspicious
    from bench.measure.ab import has_both_sides

    finished = finish(functools.partial(measure, options, folder=folder))
    if not finished and not has_both_sides(folder):
        raise KeyboardInterrupt
    first = _judged(judge, folder)
    suspects = suspicious(first) if confirm and finished else ()
    if not suspects:
        return first, finished
    once_more, place = dataclasses.replace(options, determinism="off"), folder / "confirm"
    finished = finish(functools.partial(measure, once_more, folder=place, only=suspects))
    return confirmed(first, _judged(judge, place) if finished else dataclasses.replace(first, pairs=())), finished


def _judged(judge: Judge, folder: Path) -> Comparison:
    """What stands in a folder, compared; each side gets its tables."""
    from bench.measure.ab import SIDES
    from bench.report.files import write_tables

    for side in SIDES:
        write_tables(summary_of(folder / side), folder / side)
    return judge(folder)


def _show(comparison: Comparison, folder: Path, failing: Collection[str]) -> None:
    """Leave what `ab` found in its folder in every form, and print it."""
    from bench.report.comparison_formats import render
    from bench.report.comparison_terminal import show
    from bench.store import write_atomically

    for form, ending in {"html": "html", "markdown": "md", "json": "json", "csv": "csv", "junit": "xml"}.items():
        write_atomically(folder / f"comparison.{ending}", render(comparison, form, failing))
    show(comparison, failing, console())
    say(f"reports: {folder}/a and {folder}/b; the comparison: {folder}/comparison.html")
