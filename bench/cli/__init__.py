"""The command line: options in, one call each, sentences and an exit status out."""

from __future__ import annotations

import sys
import traceback

import typer

from bench.analysis import gate
from bench.cli import comparing, machine, measuring
from bench.cli.saying import reader_left, remark, said
from bench.errors import BenchError

app = typer.Typer(
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    help="Benchmarks and reproducibility checks for PyTorch whose every verdict carries its error rate.",
)
for command in (measuring.run, comparing.compare, comparing.ab, machine.calibrate, measuring.report, machine.doctor):
    app.command()(command)
app.command(name="list")(machine.list_)


def main() -> None:
    """Run a command; every way it can end has its exit status."""
    arguments, status = [a for a in sys.argv[1:] if a != "--debug"], gate.PASS
    try:
        status = app(args=arguments, prog_name="bench", standalone_mode=False) or gate.PASS
        said()
    except (KeyboardInterrupt, typer.Abort):
        remark("bench: interrupted")
        status = gate.INTERRUPTED
    except BrokenPipeError:
        reader_left()
    except Exception as error:
        if "--debug" in sys.argv:
            traceback.print_exc()
        status = explain(error)
    sys.exit(status)


def _harmless(text: str) -> str:
    """Two lines at most that no terminal obeys: a message may quote what stood in a file."""
    from bench.report.words import escape

    return "\n".join(escape(line, 4000) for line in text.split("\n", 1))


def explain(error: Exception) -> int:
    """Say what went wrong in a line or two; the exit status that goes with it."""
    # Typer brings its own copy of Click's exceptions from some version on; their message is what they share.
    message = getattr(error, "format_message", None)
    if isinstance(error, BenchError) or message:
        text = message() if message else str(error)
        if text:  # without a command the help has said it all
            remark(f"bench: {_harmless(text)}")
        return gate.USAGE
    remark(f"bench: internal error, {type(error).__name__}: {error}")
    remark("bench: please report it with the traceback that --debug shows")
    return gate.INTERNAL
