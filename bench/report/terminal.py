"""What a run prints: one table per benchmark, then the verdicts; plain in pipes, harmless whatever the names."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from rich import box
from rich.cells import cell_len
from rich.console import Console, JustifyMethod
from rich.table import Table
from rich.text import Text

from bench.analysis.summary import Summary
from bench.report.arrange import Finding, Row, Section, findings, sections
from bench.report.columns import Column, all_columns, short_columns
from bench.report.determinism import Part
from bench.report.determinism import parts as parts_of_determinism
from bench.report.sentences import headlines, remarks, subject
from bench.report.words import counted, escape

WIDE = 120  # columns from which a table has room for more than time, ratio and memory
_GAP = 3  # columns between two columns of a table
_STYLES = {"refuted": "bold red", "undecided": "yellow", "confirmed": "green", "not applicable": "dim"}


def show(summary: Summary, console: Console) -> None:
    """Print a summary: what was measured on what, a table per benchmark, the verdicts, and what it comes to."""
    line(console, subject(summary), "bold")
    arranged = sections(summary)
    for section in arranged:
        console.print()
        _show_section(section, console)
    if summary.verdicts:
        console.print()
        _show_findings(findings(arranged), console)
        aside = sum(v.decision == "not applicable" for v in summary.verdicts)
        if aside:
            line(console, f"{counted(aside, 'judgement')} not applicable; see verdicts.csv", "dim", bullet=" ")
    for part in parts_of_determinism(summary):
        console.print()
        _show_part(part, console)
    console.print()
    for sentence in headlines(summary):
        line(console, sentence, "bold")


def line(console: Console, text: str, style: str = "", bullet: str = "") -> None:
    """Print a paragraph; its further lines stand under the first one's text, not under its bullet."""
    for i, part in enumerate(Text(text, style=style).wrap(console, max(20, console.width - len(bullet)))):
        part.rstrip()
        console.print(Text(bullet if i == 0 else " " * len(bullet)) + part)


def _show_section(section: Section, console: Console) -> None:
    line(console, escape(section.title, 400), "bold")
    line(console, escape(f"{section.name} {section.common}".strip()), "dim")
    if section.declaration.skip_reason and not section.rows:
        line(console, f"skipped: {escape(section.declaration.skip_reason, 400)}", bullet=" ")
        return
    _show_numbers(section, all_columns(section) if console.width >= WIDE else short_columns(section), console)
    for remark in remarks(section):
        line(console, remark, "yellow", bullet=" * ")


def _show_numbers(section: Section, columns: Sequence[Column], console: Console) -> None:
    """One table; a point stands above its rows and takes all the width it needs."""
    header = ("variant", *(["phase"] if section.phases else []), *(column.title for column in columns))
    parts = [(row.point, _number_rows(section, row, columns)) for row in section.rows]
    everything = [header, *(texts for _, rows in parts for texts in rows)]
    widths = _fitted([max(map(cell_len, column)) for column in zip(*everything, strict=True)], console.width)
    console.print(_table(header, widths, len(columns)))
    for point, rows in parts:
        if point:
            line(console, escape(point), "italic")
        table = _table(header, widths, len(columns))
        table.show_header = False
        for texts in rows:
            table.add_row(*map(Text, texts))
        console.print(table)


def _fitted(widths: list[int], room: int, least: Sequence[int] = ()) -> list[int]:
    """Column widths with their gaps brought down to ``room``, the widest first, so that few words are broken.

    None goes below ``least`` while another is above it.
    """
    room -= _GAP * (len(widths) - 1)
    for floors in (least, [4] * len(widths)):
        while sum(widths) > room and (wider := [i for i, floor in enumerate(floors) if widths[i] > floor]):
            widths[max(wider, key=widths.__getitem__)] -= 1
    return widths


def _table(header: Sequence[str], widths: Sequence[int], numbers: int) -> Table:
    """A table with columns of these widths, so that several stand under one header; the last ``numbers`` are right."""
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for i, (title, width) in enumerate(zip(header, widths, strict=True)):
        justify: JustifyMethod = "left" if i < len(header) - numbers else "right"
        table.add_column(title, justify=justify, overflow="fold", width=width)
    return table


def _number_rows(section: Section, row: Row, columns: Sequence[Column]) -> list[tuple[str, ...]]:
    return [
        (
            f" {escape(cell.case.variant)}" if i == 0 else "",
            *([phase] if section.phases else []),
            *(column.say(cell, phase) for column in columns),
        )
        for cell in row.cells
        for i, phase in enumerate(section.phases or ("",))
    ]


def _show_part(part: Part, console: Console) -> None:
    line(console, escape(part.title), "bold")
    rows = [tuple(map(escape, row)) for row in part.rows]
    columns = list(zip(part.header, *rows, strict=True))
    widths = [max(map(cell_len, column)) for column in columns]
    words = [max(cell_len(word) for cell in column for word in cell.split()) for column in columns[1:]]
    table = _table(part.header, _fitted(widths, console.width, [widths[0], *words]), 0)
    for row in rows:
        table.add_row(*map(Text, row))
    console.print(table)
    for remark in part.remarks:
        line(console, escape(remark), "dim", bullet=" * ")


def _show_findings(found: Sequence[Finding], console: Console) -> None:
    line(console, "Claims", "bold")
    widest = max((len(_decision(finding)) for finding in found), default=0)
    for name, of_benchmark in itertools.groupby(found, key=lambda finding: finding.benchmark):
        line(console, escape(name), "italic")
        table = Table(box=None, pad_edge=False, show_header=False)
        table.add_column(width=widest)
        if console.width >= WIDE:
            table.add_column(overflow="fold", width=44)
        table.add_column(overflow="fold")
        claim = None
        for finding in of_benchmark:
            said = "" if finding.claim == claim else f"{finding.claim.text}  {finding.claim.cited}".rstrip()
            claim = finding.claim
            cells = [Text(escape(said), style="bold"), Text(_evidence(finding))]
            if console.width < WIDE:
                cells = [Text("\n").join(cell for cell in cells if cell)]
            table.add_row(_decision(finding), *cells)
        console.print(table)


def _decision(finding: Finding) -> Text:
    part = f" {len(finding.verdicts)}/{finding.judged}" if finding.judged > 1 else ""
    return Text(f" {finding.decision}{part}", style=_STYLES[finding.decision])


def _evidence(finding: Finding) -> str:
    at = f"{escape(finding.point)}: " if finding.point else ""
    return at + escape(finding.verdicts[0].evidence, 400)
