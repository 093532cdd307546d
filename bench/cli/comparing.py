"""``compare`` and ``ab``: did anything change?"""

from __future__ import annotations

import functools
import sys
from collections.abc import Callable, Collection, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.analysis import gate
from bench.cli import options as o
from bench.cli.measuring import summary_of
from bench.cli.options import make_options, seconds
from bench.cli.saying import progress_until_done, say, typed

if TYPE_CHECKING:
    from bench.analysis.change import Comparison


def compare(
    reports: Annotated[list[str], typer.Argument(metavar="BASE NEW…", help="Report folders or CSV files.")],
    floor: o.Floor = "2%",
    fail_on: o.States = gate.CHANGES_THAT_FAIL,
    allow_diff: Annotated[list[str] | None, typer.Option(metavar="KEY", help="A fact that may differ.")] = None,
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
    comparison = compare_paths(reports, floor=parse_fraction(floor, where="--floor"), allow=allow)
    if output:
        write_atomically(Path(output), render(comparison, form, failing))
    elif form == "terminal":
        from rich.console import Console

        from bench.report.comparison_terminal import show

        show(comparison, failing, Console())
    else:
        sys.stdout.write(render(comparison, form, failing))
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
    output: o.Output = "",
    wait: o.Wait = "0s",
) -> None:
    """The same suites in two Python environments, or under two settings, interleaved on this machine."""
    from bench.analysis.compare import STATUSES, exit_status
    from bench.claims import parse_fraction
    from bench.measure import session
    from bench.measure.ab import measure_ab, parse_arm

    failing = gate.parse_fail_on(fail_on, STATUSES)
    arms = {"a": parse_arm(a, a_setting, a_env, side="a"), "b": parse_arm(b, b_setting, b_env, side="b")}
    options = make_options(device, tier, processes, precision, budget, seed)
    folder = session.new_folder(options, output)
    measure = functools.partial(
        measure_ab, paths, options, arms=arms, keyword=keyword, command=typed(), wait_seconds=seconds(wait, "--wait")
    )
    comparison = _judge(measure, folder, parse_fraction(floor, where="--floor"), confirm=confirm)
    _show(comparison, folder, failing)
    raise typer.Exit(exit_status(comparison, failing))


def _show(comparison: Comparison, folder: Path, failing: Collection[str]) -> None:
    """Print what `ab` found, and leave it in its folder."""
    from rich.console import Console

    from bench.report.comparison_html import html
    from bench.report.comparison_terminal import show
    from bench.store import write_atomically

    show(comparison, failing, Console())
    write_atomically(folder / "comparison.html", html(comparison, failing))
    say(f"reports: {folder}/a and {folder}/b; the comparison: {folder}/comparison.html")


def _judge(measure: Callable[..., None], folder: Path, floor: float, *, confirm: bool) -> Comparison:
    """Measure, and with ``confirm`` measure the suspects again."""
    from bench.analysis.confirm import confirmed, suspicious
    from bench.measure.ab import SIDES, judge_ab
    from bench.report.files import write_tables

    with progress_until_done() as progress:

        def judged(where: Path, only: Sequence[str]) -> Comparison:
            measure(folder=where, only=only, progress=progress)
            for side in SIDES:
                write_tables(summary_of(where / side), where / side)
            return judge_ab(where, floor=floor)

        comparison = judged(folder, ())
        suspects = suspicious(comparison) if confirm else ()
        return confirmed(comparison, judged(folder / "confirm", suspects)) if suspects else comparison
