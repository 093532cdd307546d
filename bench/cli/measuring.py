"""``run`` and ``report``: measure, keep, judge, show."""

from __future__ import annotations

import dataclasses
import datetime
import functools
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.analysis import gate
from bench.cli import options as o
from bench.cli.options import make_options, seconds
from bench.cli.saying import console, finish, remark, say, typed
from bench.errors import BenchError
from bench.store import read_manifest

if TYPE_CHECKING:
    from bench.analysis.accept import Accept
    from bench.analysis.summary import Summary
    from bench.model import Record


def run(
    paths: Annotated[list[str] | None, typer.Argument(metavar="PATH…", show_default=False)] = None,
    device: o.Device = "auto",
    tier: o.Tier = "standard",
    processes: o.Processes = None,
    precision: o.Precision = "1%",
    budget: o.Budget = "",
    keyword: o.Keyword = "",
    seed: o.Seed = 0,
    determinism: Annotated[str, typer.Option(help="off, quick or full.")] = "quick",
    output: o.Output = "",
    reference: o.Reference = "",
    resume: Annotated[str, typer.Option(metavar="DIR", help="Finish an interrupted run.")] = "",
    fail_on: Annotated[str, typer.Option(help=f"Of {', '.join(gate.RUN_STATUSES)}; or none.")] = "failed",
    wait: o.Wait = "0s",
    timeout: o.Timeout = "120s",
    quiet: o.Quiet = False,
) -> None:
    """Measure suites, record, judge their claims and report."""
    from bench.measure.workers import prepared

    failing = gate.parse_fail_on(fail_on, gate.RUN_STATUSES)
    accepted = accepts() if "nondeterministic" in failing else ()
    reference = _asked(paths, reference, resume)
    with prepared(meanwhile=_get_ready_to_report) as launcher:
        from bench.measure import session  # takes a while

        tier = read_manifest(Path(resume)).tier if resume else tier
        options = make_options(device, tier, processes, precision, budget, seed, timeout, determinism)
        folder = Path(resume) if resume else session.new_folder(options, output)
        measure = functools.partial(session.resume, folder, options)
        if paths:
            measure = functools.partial(session.measure, paths, options, folder=folder, reference=reference)
            measure = functools.partial(measure, keyword=keyword, command=typed())
        finished = finish(functools.partial(measure, launcher=launcher, wait_seconds=seconds(wait, "--wait")), quiet)
    if not finished and not (folder / "records.jsonl").exists():
        raise KeyboardInterrupt
    summary = show_report(folder)
    status = gate.run_status(summary.verdicts, summary.estimates, _unaccepted(summary, accepted), failing)
    raise typer.Exit(status if finished else gate.INTERRUPTED)


def _asked(paths: list[str] | None, reference: str, resume: str) -> str:
    """Where the Python is beside which a new run is timed, empty without one; an old run has its own."""
    from bench.measure.workers import find_python

    if bool(paths) == bool(resume):
        raise BenchError("name what to measure, as in `bench run suites/conv`, or --resume DIR")
    if reference and resume:
        raise BenchError("--reference: an interrupted run goes on beside the one it began with; leave it out")
    return os.path.abspath(find_python(reference, "--reference")) if reference else ""  # a venv's stays a link


def _get_ready_to_report() -> None:
    """Import what reports are made with, Matplotlib above all, while the second core has nothing else to do."""
    import matplotlib.backends.backend_agg
    import matplotlib.backends.backend_svg
    import matplotlib.figure  # noqa: F401

    import bench.report.files  # noqa: F401


def accepts() -> Sequence[Accept]:
    """The entries of `bench-accept.toml`, read before measuring: a mistake in it should not cost a run."""
    from bench.analysis import accept

    try:
        return accept.parse(Path(accept.FILE).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return ()
    except (OSError, UnicodeDecodeError) as error:
        raise BenchError(f"{accept.FILE}: cannot be read ({error})") from None


def _unaccepted(summary: Summary, entries: Sequence[Accept]) -> Sequence[Record]:
    """The records, those of the knob matrix too, without the differences that somebody accepts."""
    from bench.analysis.determinism_gate import unaccepted

    records, told = unaccepted((*summary.records, *summary.turned), entries, datetime.date.today())
    for sentence in told:
        remark(sentence)
    return records


def summary_of(folder: Path) -> Summary:
    """Judge what a folder holds."""
    from bench.analysis.summary import summarise
    from bench.store import read_environments, read_records, read_reference

    records, broken = read_records(folder)
    if broken:
        remark(f"{broken} line(s) of {folder / 'records.jsonl'} could not be read (a crash while writing): left out")
    return summarise(read_manifest(folder), read_environments(folder), records, read_reference(folder))


def show_report(folder: Path) -> Summary:
    """Judge what a folder holds, write its files and print the tables."""
    from bench.report.files import write_report
    from bench.report.terminal import show

    summary = summary_of(folder)
    summary = dataclasses.replace(summary, calibrated=_calibrated(folder, summary))
    write_report(summary, folder)
    show(summary, console())
    say(f"report: {folder}")
    return summary


def _calibrated(folder: Path, summary: Summary) -> str:
    """What is known of this machine; a calibration that cannot be read costs no report."""
    from bench.interop.calibrations import quote

    try:
        return quote(folder, summary)
    except BenchError as error:
        remark(f"bench: {error}")
        return ""


def report(
    folder: Annotated[str, typer.Argument(metavar="DIR", help="A report folder.")],
    export: Annotated[
        str, typer.Option(metavar="FORM", help="Print it for pytest-benchmark, bencher, … instead.")
    ] = "",
) -> None:
    """Render a report again from its records."""
    if not export:
        show_report(Path(folder))
        return
    from bench.interop.exports import export as exported
    from bench.interop.reading import read

    say(exported(read(folder), export).rstrip())
