"""Results go to standard output; everything else that is said goes to standard error."""

from __future__ import annotations

import contextlib
import os
import signal
import sys
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING

from bench.errors import BenchError

if TYPE_CHECKING:
    from rich.console import Console

    from bench.report.progress import Progress, Silence


def typed() -> tuple[str, ...]:
    """The command as anyone can type it, without where this machine keeps its programs."""
    return ("bench", *sys.argv[1:])


def say(text: str) -> None:
    """A result."""
    with _writing():
        sys.stdout.write(text + "\n")


def said() -> None:
    """Let what was said arrive."""
    with _writing():
        sys.stdout.flush()


def console() -> Console:
    """Where tables of results go."""
    from rich.console import Console

    class Page(Console):
        def on_broken_pipe(self) -> None:
            reader_left()

    return Page()


@contextlib.contextmanager
def _writing() -> Iterator[None]:
    try:
        yield
    except BrokenPipeError:
        reader_left()
    except OSError as error:
        raise BenchError(f"cannot write to standard output: {error.strerror or error}") from None


def reader_left() -> None:
    """Whoever read our output has seen enough, as `head` does: that ends neither the work nor its verdict."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)


def remark(text: str) -> None:
    """Anything that is not the result."""
    sys.stderr.write(text + "\n")


@contextlib.contextmanager
def progress_until_done(*, quiet: bool = False) -> Iterator[Progress | Silence]:
    """Somebody to tell how far measuring has come; the display is put away however it ends."""
    from bench.report.progress import Progress, Silence

    progress = Silence() if quiet else Progress()
    try:
        yield progress
    finally:
        progress.close()


def finish(measure: Callable[..., None], quiet: bool = False) -> bool:
    """Whether measuring came to its end; Ctrl-C, and a CI job that is cancelled, leave what is known so far."""
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        with progress_until_done(quiet=quiet) as progress:
            measure(progress=progress)
    except KeyboardInterrupt:
        remark("bench: interrupted")
        return False
    return True
