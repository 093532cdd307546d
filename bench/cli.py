"""The command line: options in, one call each, sentences and an exit status out."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from bench.analysis import gate
from bench.errors import BenchError

if TYPE_CHECKING:
    from bench.analysis.change import Comparison
    from bench.analysis.summary import Summary
    from bench.measure.runner import Options

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Benchmarks and reproducibility checks for PyTorch whose every verdict carries its error rate.",
)

DETERMINISM = ("off", "quick", "full")
BUDGET_SECONDS = {"smoke": 15.0, "standard": 120.0, "large": 600.0}

Paths = Annotated[list[str], typer.Argument(metavar="PATH…", help="Suite folders or files.", show_default=False)]
DeviceOption = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:N.")]
TierOption = Annotated[str, typer.Option("--tier", help="smoke, standard or large.")]
KeywordOption = Annotated[str, typer.Option("-k", metavar="EXPR", help="Only cases whose names fit, as in pytest.")]


@app.command()
def run(
    paths: Annotated[list[str] | None, typer.Argument(metavar="PATH…", show_default=False)] = None,
    device: DeviceOption = "auto",
    tier: TierOption = "standard",
    processes: Annotated[int | None, typer.Option(help="Exactly so many processes of every group.")] = None,
    precision: Annotated[str, typer.Option(help="Half-width of the ratios' intervals to reach.")] = "1%",
    budget: Annotated[str, typer.Option(help="Time for measuring: 90s, 2m.  Default by tier.")] = "",
    keyword: KeywordOption = "",
    seed: Annotated[int, typer.Option(help="Seed of inputs and weights.")] = 0,
    determinism: Annotated[str, typer.Option(help="off, quick or full.")] = "quick",
    output: Annotated[str, typer.Option(metavar="DIR", help="Report folder to write.")] = "",
    resume: Annotated[str, typer.Option(metavar="DIR", help="Finish an interrupted run.")] = "",
    fail_on: Annotated[str, typer.Option(help=f"Of {', '.join(gate.RUN_STATUSES)}; or none.")] = "failed",
    wait: Annotated[str, typer.Option(help="How long to wait for a device in use.")] = "0s",
    timeout: Annotated[str, typer.Option(help="Time limit of one step of one process.")] = "120s",
    quiet: Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")] = False,
) -> None:
    """Measure suites, record, judge their claims and report."""
    from bench.measure import session
    from bench.report.progress import Progress, Silence

    failing = gate.parse_fail_on(fail_on, gate.RUN_STATUSES)
    if bool(paths) == bool(resume):
        raise BenchError("name what to measure, as in `bench run suites/conv`, or --resume DIR")
    options = _options(device, tier, processes, precision, budget, seed, timeout, determinism)
    folder = Path(resume) if resume else session.new_folder(options, output)
    progress = Silence() if quiet else Progress()
    interrupted = False
    try:
        signal.signal(signal.SIGTERM, signal.default_int_handler)  # a CI job that is cancelled
        if resume:
            session.resume(folder, options, wait_seconds=_seconds(wait, "--wait"), progress=progress)
        else:
            session.measure(
                paths or [],
                options,
                folder=folder,
                keyword=keyword,
                command=sys.argv,
                wait_seconds=_seconds(wait, "--wait"),
                progress=progress,
            )
    except KeyboardInterrupt:
        interrupted = True
    finally:
        progress.close()
    if interrupted and not (folder / "records.jsonl").exists():
        raise KeyboardInterrupt
    summary = _report(folder)
    status = gate.run_status(summary.verdicts, summary.estimates, summary.records, failing)
    raise typer.Exit(gate.INTERRUPTED if interrupted else status)


def _options(
    device: str,
    tier: str,
    processes: int | None,
    precision: str,
    budget: str,
    seed: int,
    timeout: str,
    determinism: str = "off",
) -> Options:
    from bench.claims import parse_fraction
    from bench.measure.runner import Options
    from bench.measure.session import resolve_device

    if tier not in BUDGET_SECONDS:
        raise BenchError(f"--tier {tier!r}: use {', '.join(BUDGET_SECONDS)}")
    if processes is not None and processes < 1:
        raise BenchError("--processes must be at least 1; a verdict needs 5")
    if determinism not in DETERMINISM:
        raise BenchError(f"--determinism {determinism!r}: use {', '.join(DETERMINISM)}")
    return Options(
        device=resolve_device(device),
        tier=tier,  # type: ignore[arg-type]  # checked above
        processes=processes,
        precision=parse_fraction(precision, where="--precision"),
        budget_seconds=_seconds(budget, "--budget") if budget else BUDGET_SECONDS[tier],
        seed=seed,
        limit_seconds=_seconds(timeout, "--timeout"),
        determinism=determinism,
    )


def _seconds(text: str, option: str) -> float:
    """``90s``, ``2m``, ``1h`` or plain seconds."""
    units = {"s": 1.0, "m": 60.0, "h": 3600.0}
    try:
        value = float(text[:-1]) * units[text[-1]] if text[-1:] in units else float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise BenchError(f"{option} {text!r} is no duration: write 90s, 2m or 1h")
    return value


def _write(folder: Path) -> Summary:
    """Judge what a folder holds, and write its files."""
    from bench.analysis.summary import summarise
    from bench.report.files import write_report
    from bench.store import read_environments, read_manifest, read_records

    records, broken = read_records(folder)
    summary = summarise(read_manifest(folder), read_environments(folder), records)
    write_report(summary, folder)
    if broken:
        _say(f"{broken} line(s) of {folder / 'records.jsonl'} could not be read (a crash while writing): left out")
    return summary


def _report(folder: Path) -> Summary:
    """Judge what a folder holds, write its files and print the tables."""
    from rich.console import Console

    from bench.report.terminal import show

    summary = _write(folder)
    console = Console()
    show(summary, console)
    console.print(f"report: {folder}", highlight=False, markup=False, soft_wrap=True)
    return summary


@app.command()
def report(folder: Annotated[str, typer.Argument(metavar="DIR", help="A report folder.")]) -> None:
    """Render a report again from its records."""
    _report(Path(folder))


@app.command()
def compare(
    reports: Annotated[list[str], typer.Argument(metavar="BASE NEW…", help="Report folders or CSV files.")],
    floor: Annotated[str, typer.Option(help="The smallest change that counts.")] = "2%",
    fail_on: Annotated[str, typer.Option(metavar="STATES", help="States that fail; or none.")] = "worse,missing,failed",
    allow_diff: Annotated[list[str] | None, typer.Option(metavar="KEY", help="A fact that may differ.")] = None,
    form: Annotated[str, typer.Option("--format", help="terminal, markdown, json, csv or junit.")] = "terminal",
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


@app.command()
def ab(
    paths: Paths,
    a: Annotated[str, typer.Option(metavar="PYTHON", help="The base: a Python that has torch.")] = sys.executable,
    b: Annotated[str, typer.Option(metavar="PYTHON", help="What is compared with it.")] = sys.executable,
    a_env: Annotated[list[str] | None, typer.Option(metavar="K=V", help="Environment variable of a.")] = None,
    b_env: Annotated[list[str] | None, typer.Option(metavar="K=V", help="Environment variable of b.")] = None,
    a_setting: Annotated[list[str] | None, typer.Option(metavar="K=V", help="Such as cudnn.benchmark=true.")] = None,
    b_setting: Annotated[list[str] | None, typer.Option(metavar="K=V", help="The same for b.")] = None,
    device: DeviceOption = "auto",
    tier: TierOption = "standard",
    processes: Annotated[int | None, typer.Option(help="Exactly so many processes of every group.")] = None,
    precision: Annotated[str, typer.Option(help="Half-width of the ratios' intervals to reach.")] = "1%",
    budget: Annotated[str, typer.Option(help="Time for measuring: 90s, 2m.  Default by tier.")] = "",
    keyword: KeywordOption = "",
    seed: Annotated[int, typer.Option(help="Seed of inputs and weights.")] = 0,
    floor: Annotated[str, typer.Option(help="The smallest change that counts.")] = "2%",
    confirm: Annotated[
        bool, typer.Option("--confirm", help="Measure suspects again; only what repeats counts.")
    ] = False,
    fail_on: Annotated[str, typer.Option(metavar="STATES", help="States that fail; or none.")] = "worse,missing,failed",
    output: Annotated[str, typer.Option(metavar="DIR", help="Folder of the two reports.")] = "",
    wait: Annotated[str, typer.Option(help="How long to wait for a device in use.")] = "0s",
) -> None:
    """The same suites in two Python environments, or under two settings, interleaved on this machine."""
    from rich.console import Console

    from bench.analysis.compare import STATUSES, exit_status
    from bench.analysis.confirm import confirmed, suspicious
    from bench.claims import parse_fraction
    from bench.measure import session
    from bench.measure.ab import judge_ab, measure_ab, parse_arm
    from bench.report.comparison_terminal import show
    from bench.report.progress import Progress

    failing = gate.parse_fail_on(fail_on, STATUSES)
    smallest = parse_fraction(floor, where="--floor")
    arms = {
        "a": parse_arm(a, a_setting or (), a_env or (), side="a"),
        "b": parse_arm(b, b_setting or (), b_env or (), side="b"),
    }
    options = _options(device, tier, processes, precision, budget, seed, "120s")
    folder = session.new_folder(options, output)
    progress = Progress()

    def measure(where: Path, only: Sequence[str] = ()) -> Comparison:
        measure_ab(
            paths,
            options,
            folder=where,
            arms=arms,
            keyword=keyword,
            command=sys.argv,
            wait_seconds=_seconds(wait, "--wait"),
            progress=progress,
            only=only,
        )
        for side in arms:
            _write(where / side)
        return judge_ab(where, floor=smallest)

    try:
        comparison = measure(folder)
        suspects = suspicious(comparison) if confirm else ()
        if suspects:
            comparison = confirmed(comparison, measure(folder / "confirm", suspects))
    finally:
        progress.close()
    show(comparison, failing, Console())
    _print(f"reports: {folder / 'a'} and {folder / 'b'}")
    raise typer.Exit(exit_status(comparison, failing))


@app.command()
def calibrate(
    paths: Paths,
    repeats: Annotated[int, typer.Option(help="Runs of the same code.")] = 6,
    inject: Annotated[str, typer.Option(metavar="SHARES", help="Slowdowns to plant: 2%,5%,10%.")] = "",
    device: DeviceOption = "auto",
    tier: TierOption = "standard",
    processes: Annotated[int, typer.Option(help="Processes of every group in each run.")] = 12,
    keyword: KeywordOption = "",
    output: Annotated[str, typer.Option(metavar="DIR", help="Where the runs and calibration.json go.")] = "",
    wait: Annotated[str, typer.Option(help="How long to wait for a device in use.")] = "0s",
) -> None:
    """This machine's false-alarm rate and smallest visible change."""
    from rich.console import Console

    from bench.analysis.calibrate import dumps
    from bench.claims import parse_fraction
    from bench.measure import session
    from bench.measure.calibration import measure_calibration
    from bench.report.calibration import show, write_picture
    from bench.report.progress import Progress
    from bench.store import write_atomically

    options = _options(device, tier, processes, "1%", "", 0, "120s")
    folder = Path(output) if output else session.calibration_folder(options)
    progress = Progress()
    try:
        calibration = measure_calibration(
            paths,
            options,
            folder=folder,
            repeats=repeats,
            shares=[parse_fraction(part.strip(), where="--inject") for part in inject.split(",") if part.strip()],
            keyword=keyword,
            command=sys.argv,
            wait_seconds=_seconds(wait, "--wait"),
            progress=progress,
        )
    finally:
        progress.close()
    write_atomically(folder / "calibration.json", dumps(calibration))
    write_picture(calibration, folder)
    show(calibration, Console())
    _print(f"calibration: {folder / 'calibration.json'}")


@app.command()
def doctor(json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False) -> None:
    """What this machine can measure, and what is wrong with it."""
    from bench.measure.doctor import diagnose
    from bench.report.findings import as_json, as_text

    findings = diagnose()
    _print((as_json if json else as_text)(findings))
    if any(finding.level == "problem" for finding in findings):
        raise typer.Exit(gate.INVALID)


@app.command(name="list")
def list_(
    paths: Paths = ["suites"],  # noqa: B006  typer copies it
    device: DeviceOption = "auto",
    tier: TierOption = "standard",
    keyword: KeywordOption = "",
    json: Annotated[bool, typer.Option("--json", help="As JSON.")] = False,
) -> None:
    """Show cases, axes, claims and notes."""
    from bench.measure.session import choose
    from bench.report.listing import as_json, as_text

    found, cases = choose(paths, _options(device, tier, None, "1%", "", 0, "120s"), keyword)
    kind = cases[0].device
    declarations = tuple(f.declaration(kind) for f in found)
    _print((as_json if json else as_text)(declarations, cases))


def _print(text: str) -> None:
    sys.stdout.write(text + "\n")


def _say(text: str) -> None:
    sys.stderr.write(text + "\n")


def main() -> None:
    """Run a command; every way it can end has its exit status."""
    arguments = [a for a in sys.argv[1:] if a != "--debug"]
    try:
        status = app(args=arguments, prog_name="bench", standalone_mode=False) or gate.PASS
    except (KeyboardInterrupt, typer.Abort):
        _say("bench: interrupted")
        status = gate.INTERRUPTED
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)  # the reader of our output left; that is its right
        status = gate.PASS
    except Exception as error:
        if "--debug" in sys.argv:
            raise
        status = _explain(error)
    sys.exit(status)


def _explain(error: Exception) -> int:
    """Say what went wrong in a line or two; the exit status that goes with it."""
    # Typer brings its own copy of Click's exceptions from some version on; their message is what they share.
    message = getattr(error, "format_message", None)
    if isinstance(error, BenchError) or message:
        _say(f"bench: {message() if message else error}")
        return gate.USAGE
    _say(f"bench: internal error, {type(error).__name__}: {error}")
    _say("bench: please report it with the traceback that --debug shows")
    return gate.INTERNAL
