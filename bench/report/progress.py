"""Says on stderr how far a run has come: a live display on a terminal, plain lines every few seconds in a log."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Mapping, Sequence

from rich.console import Console
from rich.live import Live
from rich.text import Text

from bench.report.words import counted, duration, escape, share

_BAR = 16  # characters
_QUIET_SECONDS = 5.0  # between lines of a log


class Progress:
    """The progress of one run.  ``clock`` answers in monotonic seconds.

    Redrawn only when the run reports something: a thread of its own would wake the CPU that is being measured.
    """

    def __init__(self, console: Console | None = None, clock: Callable[[], float] = time.monotonic) -> None:
        self._console = console or Console(stderr=True)
        self._clock = clock
        self._live: Live | None = None
        self._groups = self._passes = self._pass = 1
        self._done = 0
        self._current, self._precision = "", "precision not known yet"
        self._ends = clock()
        self._spoken = -math.inf

    def start(self, groups: Sequence[str], passes_expected: int) -> None:
        """Begin: these groups, each once in every pass."""
        self._groups, self._passes = max(1, len(groups)), max(1, passes_expected)
        self.message(f"measuring {counted(len(groups), 'group')}, about {counted(self._passes, 'pass', 'passes')}")
        # FORCE_COLOR makes rich take a log for a terminal; a display that moves the cursor needs a real one.
        if self._console.is_interactive and self._console.file.isatty():
            self._live = Live(Text(), console=self._console, auto_refresh=False, transient=True)
            self._live.start()

    def process_done(self, pass_: int, group: str, seconds: float) -> None:
        """One process of ``group`` ended after ``seconds``."""
        if pass_ != self._pass:
            self._pass, self._done = pass_, 0
        self._done += 1
        self._current = f"{escape(group)} took {duration(seconds) if seconds >= 10 else f'{seconds:.1f} s'}"
        self._draw()

    def expect(self, seconds_left: float) -> None:
        """The rest will take so long."""
        self._ends = self._clock() + seconds_left

    def pass_done(self, pass_: int, precision_reached: Mapping[str, float]) -> None:
        """A pass ended: half-widths reached by group, as fractions."""
        self._precision = _widest(precision_reached)
        self._passes = max(self._passes, pass_)
        if self._live is None and self._clock() >= self._spoken + _QUIET_SECONDS:
            self._spoken = self._clock()
            self.message(f"pass {pass_}: {self._precision}, {self._left()}")
        self._draw()

    def message(self, text: str) -> None:
        """Say something in passing, above the display."""
        self._console.print(Text(escape(text, 400)), soft_wrap=True)

    def close(self) -> None:
        """Take the display away; safe at any time, more than once."""
        if self._live is not None:
            self._live.stop()
            self._live = None

    def seconds_left(self) -> float:
        """How long it will still take, as far as anybody knows."""
        return max(0.0, self._ends - self._clock())

    def _left(self) -> str:
        return f"about {duration(self.seconds_left())} left"

    def _draw(self) -> None:
        if self._live is not None:
            self._live.update(self._text(), refresh=True)

    def _text(self) -> Text:
        filled = min(_BAR, _BAR * self._done // self._groups)
        first = (
            f"pass {self._pass} of about {max(self._passes, self._pass)}",
            "━" * filled + "─" * (_BAR - filled),
            f"{self._done} of {counted(self._groups, 'group')}",
            self._left(),
        )
        lines = ("  ".join(first), f"  {self._precision}", f"  {self._current}")
        return Text("\n".join(lines), no_wrap=True, overflow="ellipsis")


def _widest(precision_reached: Mapping[str, float]) -> str:
    """The group that is furthest from being known: ``widest ±1.4 % (conv/…)``."""
    if not precision_reached:
        return "precision not known yet"
    group = max(precision_reached, key=lambda name: precision_reached[name])
    return f"widest ±{share(precision_reached[group])} ({escape(group, 60)})"


class Silence:
    """A progress that says nothing, for ``--quiet``."""

    def start(self, groups: Sequence[str], passes_expected: int) -> None:
        pass

    def process_done(self, pass_: int, group: str, seconds: float) -> None:
        pass

    def expect(self, seconds_left: float) -> None:
        pass

    def pass_done(self, pass_: int, precision_reached: Mapping[str, float]) -> None:
        pass

    def message(self, text: str) -> None:
        pass

    def close(self) -> None:
        pass
