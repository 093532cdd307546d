"""What a run prints: one table per benchmark, then the verdicts; plain in pipes, harmless whatever the names."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from rich import box
from rich.console import Console
from rich.table import Table
from rich.text import Text

from bench.analysis.summary import Summary
from bench.model import Estimate
from bench.report.arrange import Cell, Finding, Section, findings, point_text, sections
from bench.report.sentences import headlines, remarks, subject
from bench.report.words import NOTHING, counted, effect, escape, interval_of, value_of

WIDE = 120  # columns from which a table has room for more than time, ratio and memory
_STYLES = {"refuted": "bold red", "undecided": "yellow", "confirmed": "green", "not applicable": "dim"}


@dataclass(frozen=True, slots=True, kw_only=True)
class _Column:
    """A column of a benchmark's table: its title, and what it says of a case in a phase."""

    title: str
    say: Callable[[Cell, str], str]
    wide_only: bool = False


def _of(metric: str, say: Callable[[Estimate], str]) -> Callable[[Cell, str], str]:
    """A column on one metric, such as ``time/{phase}``."""

    def cell_text(cell: Cell, phase: str) -> str:
        estimate = cell.estimates.get(metric.format(phase=phase))
        return NOTHING if estimate is None else say(estimate)

    return cell_text


COLUMNS = (
    _Column(title="time", say=_of("time/{phase}", value_of)),
    _Column(title="interval", say=_of("time/{phase}", interval_of), wide_only=True),
    _Column(title="against baseline", say=_of("time/{phase}", effect)),
    _Column(title="peak memory", say=_of("memory/peak/{phase}", value_of)),
    _Column(title="against baseline", say=_of("memory/peak/{phase}", effect), wide_only=True),
    _Column(title="arithmetic", say=_of("rate/flops/{phase}", value_of), wide_only=True),
    _Column(title="bandwidth", say=_of("rate/bytes/{phase}", value_of), wide_only=True),
    _Column(title="processes", say=_of("time/{phase}", lambda e: str(len(e.process_values))), wide_only=True),
)


def show(summary: Summary, console: Console) -> None:
    """Print a summary: what was measured on what, a table per benchmark, the verdicts, and what it comes to."""
    _line(console, subject(summary), "bold")
    for section in sections(summary):
        console.print()
        _show_section(section, console)
    if summary.verdicts:
        console.print()
        _show_verdicts(summary, console)
    console.print()
    for sentence in headlines(summary):
        _line(console, sentence, "bold")


def _line(console: Console, text: str, style: str = "", indent: int = 0) -> None:
    for line in Text(text, style=style).wrap(console, max(20, console.width - indent)):
        line.rstrip()
        console.print(Text(" " * indent) + line)


def _show_section(section: Section, console: Console) -> None:
    _line(console, escape(section.title, 400), "bold")
    _line(console, escape(section.name), "dim")
    if section.declaration.skip_reason and not section.rows:
        _line(console, f"skipped: {escape(section.declaration.skip_reason, 400)}", indent=2)
        return
    console.print(_section_table(section, wide=console.width >= WIDE))
    for remark in remarks(section):
        _line(console, f"* {remark}", "yellow", indent=2)


def _section_table(section: Section, wide: bool) -> Table:
    columns = [c for c in COLUMNS if (wide or not c.wide_only) and _has_content(section, c)]
    phases = section.phases or ("",)
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    table.add_column("variant", overflow="fold")
    if section.phases:
        table.add_column("phase")
    for column in columns:
        table.add_column(column.title, justify="right", overflow="fold")
    for row in section.rows:
        table.add_row(Text(escape(row.point), style="italic"))
        for cell in row.cells:
            for phase in phases:
                name = escape(cell.case.variant) if phase == phases[0] else ""
                texts = [f" {name}", *([phase] if section.phases else []), *(c.say(cell, phase) for c in columns)]
                table.add_row(*(Text(text) for text in texts))
    return table


def _has_content(section: Section, column: _Column) -> bool:
    cells = (cell for row in section.rows for cell in row.cells)
    return any(column.say(cell, phase) != NOTHING for cell in cells for phase in section.phases)


def _show_verdicts(summary: Summary, console: Console) -> None:
    _line(console, "Claims", "bold")
    table = Table(box=box.SIMPLE_HEAD, pad_edge=False, show_edge=False)
    for title, widest in (("claim", 34), ("note", 12), ("verdict", 18)):
        table.add_column(title, overflow="fold", max_width=widest)
    table.add_column("evidence", overflow="fold")
    last = ("", "")
    for finding in findings(summary):
        name, claim = finding.benchmark, finding.claim.text
        if name != last[0]:
            table.add_row(Text(escape(name), style="italic"))
        table.add_row(*_finding_cells(finding, is_first=(name, claim) != last))
        last = name, claim
    if table.row_count:
        console.print(table)
    aside = sum(v.decision == "not applicable" for v in summary.verdicts)
    if aside:
        _line(console, f"{counted(aside, 'judgement')} not applicable here (reasons in verdicts.csv)", "dim", indent=2)


def _finding_cells(finding: Finding, is_first: bool) -> tuple[Text, ...]:
    number = f" {len(finding.verdicts)}/{finding.judged}" if finding.judged > 1 else ""
    strongest = finding.verdicts[0]
    where = " ".join(part for part in (strongest.case.variant, point_text(strongest.case)) if part)
    return (
        Text(escape(f" {finding.claim.text}") if is_first else ""),
        Text(escape(finding.claim.note) if is_first else ""),
        Text(f"{finding.decision}{number}", style=_STYLES[finding.decision]),
        Text(f"{escape(where)}: {escape(strongest.evidence, 400)}"),
    )
