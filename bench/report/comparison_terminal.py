"""What ``bench compare`` prints: what changed around the numbers, then the changes by evidence; plain in pipes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from itertools import groupby

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.analysis.change import Change, Comparison, Pair, State
from bench.report import comparison_words as words
from bench.report.terminal import line
from bench.report.words import counted, escape, shorten

# Changes printed of one state; the others are counted, and all are in the CSV.
MOST_ROWS = 100
MOST_DULL_ROWS = 10
# Room that a column of the matrix takes, so that as many of the newest reports are shown as fit.
_MATRIX_COLUMN = 22
_STYLES: dict[State, str] = {
    "worse": "bold red",
    "failed": "bold red",
    "missing": "bold red",
    "invalid": "red",
    "incomparable": "red",
    "unresolved": "yellow",
    "better": "green",
}


def show(comparison: Comparison, fail_on: Collection[str], console: Console) -> None:
    """Print a comparison; names are shown as text whatever they hold."""
    if comparison.steps:
        _show_matrix(comparison, console)
    for pair in comparison.pairs[: -words.DETAILED_PAIRS]:
        line(console, f"{escape(pair.base)} -> {escape(pair.new)}: {words.counts(pair)} (--format csv lists all)")
    for pair in comparison.pairs[-words.DETAILED_PAIRS :]:
        _show_pair(pair, console)
    for note in comparison.notes:
        line(console, escape(note, 400), "yellow")
    line(console, words.promise(comparison), "dim")
    line(console, f"The gate {words.outcome(comparison, fail_on)}.", "bold")


def _show_pair(pair: Pair, console: Console) -> None:
    line(console, f"{escape(pair.base)} -> {escape(pair.new)}", "bold")
    for sentence in words.surroundings(pair):
        line(console, sentence, bullet="  ")
    if words.blocking(pair):
        _show_blocking(pair, console)
    for state, changes in groupby(pair.changes, key=lambda change: change.state):
        _show_state(state, list(changes), console)
    line(console, words.counts(pair), "bold")
    console.print()


def _table(*titles: str) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for title in titles:
        table.add_column(title, overflow="fold")
    return table


def _show_blocking(pair: Pair, console: Console) -> None:
    table = _table("must agree", escape(pair.base), escape(pair.new), "key")
    for found in words.blocking(pair):
        table.add_row(*(Text(escape(text)) for text in (found.label, found.base, found.new, found.key)))
    console.print(table)
    line(console, words.remedy(pair), "red", bullet="  ")


def _show_state(state: State, changes: Sequence[Change], console: Console) -> None:
    if state == "same":
        return
    most = MOST_ROWS if state in _STYLES and state != "unresolved" else MOST_DULL_ROWS
    line(console, f"{state}: {words.MEANINGS[state]}", _STYLES.get(state, ""))
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    table.add_column(justify="right", no_wrap=True)
    table.add_column(overflow="fold")
    for details, alike in groupby(changes[:most], key=words.details):
        for change in alike:
            table.add_row(Text("  " + words.effect(change)), Text(words.name(change)))
        table.add_row("", Text(details, style="dim"))
    console.print(table)
    if len(changes) > most:
        line(console, f"… and {len(changes) - most} more {state}: --format csv lists all", "dim", bullet="  ")


def _show_matrix(comparison: Comparison, console: Console) -> None:
    fitting = max(1, (console.width - 40) // _MATRIX_COLUMN)
    shown = slice(max(0, len(comparison.pairs) - fitting), None)
    rows = words.matrix(comparison)
    table = _table("case and metric", *(escape(shorten(pair.new, _MATRIX_COLUMN)) for pair in comparison.pairs[shown]))
    for (case, metric), row in list(rows.items())[:MOST_ROWS]:
        table.add_row(Text(escape(f"{case} {metric}")), *(Text(words.cell(*cell)) for cell in row[shown]))
    line(console, f"{counted(len(comparison.pairs) + 1, 'report')}: {words.LEGEND}", "bold")
    console.print(table)
    left_out = [
        *([counted(shown.start, "earlier report")] if shown.start else []),
        *([counted(len(rows) - MOST_ROWS, "more row")] if len(rows) > MOST_ROWS else []),
    ]
    if left_out:
        line(console, f"… and {' and '.join(left_out)}: --format csv lists all", "dim", bullet="  ")
    console.print()
