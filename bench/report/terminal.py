"""What a run prints: one table per benchmark, then the verdicts; plain in pipes, harmless whatever the names."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.analysis.summary import Summary
from bench.report.arrange import Finding, Section, findings, sections
from bench.report.columns import Column, all_columns, short_columns
from bench.report.sentences import headlines, remarks, subject
from bench.report.words import counted, escape

WIDE = 120  # columns from which a table has room for more than time, ratio and memory
_STYLES = {"refuted": "bold red", "undecided": "yellow", "confirmed": "green", "not applicable": "dim"}


def show(summary: Summary, console: Console) -> None:
    """Print a summary: what was measured on what, a table per benchmark, the verdicts, and what it comes to."""
    _line(console, subject(summary), "bold")
    arranged = sections(summary)
    for section in arranged:
        console.print()
        _show_section(section, console)
    if summary.verdicts:
        console.print()
        _show_findings(findings(arranged), console)
        aside = sum(v.decision == "not applicable" for v in summary.verdicts)
        if aside:
            _line(console, f"{counted(aside, 'judgement')} not applicable; see verdicts.csv", "dim", bullet=" ")
    console.print()
    for sentence in headlines(summary):
        _line(console, sentence, "bold")


def _line(console: Console, text: str, style: str = "", bullet: str = "") -> None:
    """A paragraph; its further lines stand under the first one's text, not under its bullet."""
    for i, line in enumerate(Text(text, style=style).wrap(console, max(20, console.width - len(bullet)))):
        line.rstrip()
        console.print(Text(bullet if i == 0 else " " * len(bullet)) + line)


def _show_section(section: Section, console: Console) -> None:
    _line(console, escape(section.title, 400), "bold")
    _line(console, escape(f"{section.name} {section.common}".strip()), "dim")
    if section.declaration.skip_reason and not section.rows:
        _line(console, f"skipped: {escape(section.declaration.skip_reason, 400)}", bullet=" ")
        return
    console.print(_section_table(section, all_columns(section) if console.width >= WIDE else short_columns(section)))
    for remark in remarks(section):
        _line(console, remark, "yellow", bullet=" * ")


def _section_table(section: Section, columns: Sequence[Column]) -> Table:
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("variant", overflow="fold")
    if section.phases:
        table.add_column("phase")
    for column in columns:
        table.add_column(column.title, justify="right", overflow="fold")
    for row in section.rows:
        if row.point:
            table.add_row(Text(escape(row.point), style="italic"))
        for cell in row.cells:
            for i, phase in enumerate(section.phases or ("",)):
                name = f" {escape(cell.case.variant)}" if i == 0 else ""
                texts = [name, *([phase] if section.phases else []), *(c.say(cell, phase) for c in columns)]
                table.add_row(*(Text(text) for text in texts))
    return table


def _show_findings(found: Sequence[Finding], console: Console) -> None:
    _line(console, "Claims", "bold")
    for name, of_benchmark in itertools.groupby(found, key=lambda finding: finding.benchmark):
        _line(console, escape(name), "italic")
        table = Table(box=None, pad_edge=False, show_header=False)
        table.add_column(width=15)  # of "undecided 12/24" and the like
        if console.width >= WIDE:
            table.add_column(overflow="fold", width=44)
        table.add_column(overflow="fold")
        claim = None
        for finding in of_benchmark:
            said = "" if finding.claim == claim else f"{finding.claim.text}  {finding.claim.note}".rstrip()
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
