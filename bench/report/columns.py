"""The columns of a benchmark's table, in the terminal, in Markdown and in HTML alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial

from bench.model import Check, Estimate
from bench.report.arrange import Cell, Section
from bench.report.words import NOTHING, checked, effect, interval_of, repeated, value_of


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """Its title, and what it says of a case in a phase; ``is_short`` columns are shown where room is scarce."""

    title: str
    say: Callable[[Cell, str], str]
    is_short: bool = False


def _of(metric: str, say: Callable[[Estimate], str]) -> Callable[[Cell, str], str]:
    """A column on one metric, such as ``time/{phase}``."""

    def cell_text(cell: Cell, phase: str) -> str:
        estimate = cell.estimates.get(metric.format(phase=phase))
        return NOTHING if estimate is None else say(estimate)

    return cell_text


def _first_row(say: Callable[[Iterable[Check]], str]) -> Callable[[Cell, str], str]:
    """A column on a case's checks, said once: beside its first phase."""

    def cell_text(cell: Cell, phase: str) -> str:
        timed = [name.split("/")[1] for name in cell.estimates if name.startswith("time/")]
        return say(cell.checks) if phase in ("", *timed[:1]) else NOTHING

    return cell_text


COLUMNS = (
    Column(title="time", say=_of("time/{phase}", value_of), is_short=True),
    Column(title="interval", say=_of("time/{phase}", interval_of)),
    Column(title="against baseline", say=_of("time/{phase}", effect), is_short=True),
    Column(title="peak memory", say=_of("memory/peak/{phase}", value_of), is_short=True),
    Column(title="against baseline", say=_of("memory/peak/{phase}", effect)),
    Column(title="arithmetic", say=_of("rate/flops/{phase}", value_of)),
    Column(title="bandwidth", say=_of("rate/bytes/{phase}", value_of)),
    Column(title="output", say=_first_row(partial(checked, what="output"))),
    Column(title="gradient", say=_first_row(partial(checked, what="gradient"))),
    Column(title="repeats", say=_first_row(repeated)),
    Column(title="processes", say=_of("time/{phase}", lambda e: str(len(e.process_values) or NOTHING))),
)


def short_columns(section: Section) -> tuple[Column, ...]:
    """The columns for little room; a benchmark without times shows its checks instead."""
    return tuple(c for c in all_columns(section) if c.is_short or not section.phases)


def all_columns(section: Section) -> tuple[Column, ...]:
    """The columns that have something to say of this benchmark."""
    cells = [cell for row in section.rows for cell in row.cells]
    return tuple(
        column
        for column in COLUMNS
        if any(column.say(cell, phase) != NOTHING for cell in cells for phase in section.phases or ("",))
    )
