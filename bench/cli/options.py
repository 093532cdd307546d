"""Options that several commands share, and what they mean."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated

import typer

from bench.errors import BenchError

if TYPE_CHECKING:
    from bench.measure.runner import Options

DETERMINISM = ("off", "quick", "full")
# How many seconds a run may take, and of how many processes it consists where the tier is for a first look.
BUDGET_SECONDS = {"smoke": 15.0, "standard": 120.0, "large": 600.0}
PROCESSES = {"smoke": 5}

Paths = Annotated[list[str], typer.Argument(metavar="PATH…", help="Suite folders or files.", show_default=False)]
Device = Annotated[str, typer.Option("--device", help="auto, cpu, cuda or cuda:N.")]
Tier = Annotated[str, typer.Option("--tier", help="smoke, standard or large.")]
Reference = Annotated[
    str, typer.Option("--reference", metavar="PYTHON", help="A Python you keep, to time every case beside.")
]
Keyword = Annotated[str, typer.Option("-k", metavar="EXPR", help="Only cases whose names fit, as in pytest.")]
Processes = Annotated[int | None, typer.Option("--processes", help="Exactly so many processes of every group.")]
Precision = Annotated[str, typer.Option("--precision", help="Half-width of the ratios' intervals to reach.")]
Budget = Annotated[str, typer.Option("--budget", help="Time for measuring: 90s, 2m.  Default by tier.")]
Seed = Annotated[int, typer.Option("--seed", help="Seed of inputs and weights.")]
Wait = Annotated[str, typer.Option("--wait", help="How long to wait for a device in use.")]
Timeout = Annotated[str, typer.Option("--timeout", help="Time limit of one step of one process.")]
Output = Annotated[str, typer.Option("--output", metavar="DIR", help="Folder to write; a new one by default.")]
Quiet = Annotated[bool, typer.Option("--quiet", "-q", help="No progress.")]
Floor = Annotated[str, typer.Option("--floor", help="The smallest change that counts.")]
States = Annotated[str, typer.Option("--fail-on", metavar="STATES", help="States that fail; or none.")]
Json = Annotated[bool, typer.Option("--json", help="As JSON.")]
Pairs = Annotated[list[str] | None, typer.Option(metavar="K=V", show_default=False)]


def make_options(
    device: str,
    tier: str,
    processes: int | None = None,
    precision: str = "1%",
    budget: str = "",
    seed: int = 0,
    timeout: str = "120s",
    determinism: str = "off",
) -> Options:
    """What a run is asked for, checked.  Raises BenchError naming the option."""
    from bench.claims import parse_fraction
    from bench.measure.runner import Options
    from bench.measure.session import resolve_device

    if tier not in BUDGET_SECONDS:
        raise BenchError(f"--tier {tier!r}: use {', '.join(BUDGET_SECONDS)}")
    if processes is None and not budget:
        processes = PROCESSES.get(tier)
    if processes is not None and processes < 1:
        raise BenchError("--processes must be at least 1; a verdict needs 5")
    if determinism not in DETERMINISM:
        raise BenchError(f"--determinism {determinism!r}: use {', '.join(DETERMINISM)}")
    return Options(
        device=resolve_device(device),
        tier=tier,  # type: ignore[arg-type]  # checked above
        processes=processes,
        precision=parse_fraction(precision, where="--precision"),
        budget_seconds=seconds(budget, "--budget") if budget else BUDGET_SECONDS[tier],
        seed=seed,
        limit_seconds=seconds(timeout, "--timeout"),
        determinism=determinism,
    )


def seconds(text: str, option: str) -> float:
    """``90s``, ``2m``, ``1h`` or plain seconds."""
    units = {"s": 1.0, "m": 60.0, "h": 3600.0}
    try:
        value = float(text[:-1]) * units[text[-1]] if text[-1:] in units else float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf"):
        raise BenchError(f"{option} {text!r} is no duration: write 90s, 2m or 1h")
    return value
