"""``report.md``: a run as one reads it in a pull request, short, worst first, the details folded away."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Sequence

from bench.analysis.environment_facts import fact
from bench.analysis.summary import Summary
from bench.report.arrange import Finding, Section, findings, sections
from bench.report.columns import short_columns
from bench.report.determinism import Part
from bench.report.determinism import parts as parts_of_determinism
from bench.report.sentences import command, environment, headlines, remarks, subject
from bench.report.words import change, counted, escape

# Rows shown of one benchmark, so that 500 cases still fit a comment (GitHub takes 65,536 characters).
MOST_ROWS = 24
_MARKUP = re.compile(r"([\\`*_{}\[\]|~])")
_MENTION = re.compile(r"(?<!\w)([@#])(?=\w)")


def markdown(summary: Summary) -> str:
    """The whole of ``report.md``."""
    arranged = sections(summary)
    found = findings(arranged)
    parts = [
        f"## {plain(subject(summary))}",
        "\n".join(f"- {plain(sentence)}" for sentence in headlines(summary)),
        _claims([f for f in found if f.decision in ("refuted", "undecided")]),
        folded("What was confirmed", _claims([f for f in found if f.decision == "confirmed"])),
        *(folded(section.title, _section(section)) for section in arranged),
        *(folded(part.title, _part(part)) for part in parts_of_determinism(summary)),
        folded("Where, and how to measure it again", _environment(summary)),
    ]
    return "\n\n".join(part for part in parts if part) + "\n"


def plain(text: str) -> str:
    """Text that Markdown and GitHub show as it is: no markup, no HTML, nobody mentioned."""
    safe = html.escape(_MARKUP.sub(r"\\\1", escape(text, 400)), quote=False)
    return _MENTION.sub(r"<span>\1</span>", safe)


def code(text: str) -> str:
    """A name in a code span, in a table too."""
    safe = escape(text).replace("|", "\\|")
    ticks = "`" * (1 + max((len(run) for run in re.findall("`+", safe)), default=0))
    return f"{ticks} {safe} {ticks}" if len(ticks) > 1 else f"`{safe}`"


def table(header: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A table without its empty columns; cells are Markdown already."""
    columns = [column for column in zip(header, *rows, strict=True) if any(column[1:])]
    if not columns:
        return ""
    head, *lines = zip(*columns, strict=True)
    return "\n".join(f"| {' | '.join(line)} |" for line in (head, ["---"] * len(columns), *lines))


def folded(title: str, body: str) -> str:
    """A part that opens when its title is clicked."""
    heading = _MENTION.sub(r"<span>\1</span>", html.escape(escape(title, 300), quote=False))
    return f"<details><summary>{heading}</summary>\n\n{body}\n\n</details>" if body else ""


def _claims(found: Sequence[Finding]) -> str:
    if not found:
        return ""
    header = ("verdict", "benchmark", "claim", "note", "effect", "evidence")
    return table(header, (_finding(finding) for finding in found))


def _finding(finding: Finding) -> Sequence[str]:
    strongest = finding.verdicts[0]
    share = f" {len(finding.verdicts)}/{finding.judged}" if finding.judged > 1 else ""
    at = f"{code(finding.point)}: " if finding.point else ""
    return (
        f"**{finding.decision}**{share}",
        code(finding.benchmark),
        code(finding.claim.text),
        plain(finding.claim.cited),
        change(strongest.ratio, strongest.low, strongest.high),
        at + plain(strongest.evidence),
    )


def _section(section: Section) -> str:
    if section.declaration.skip_reason and not section.rows:
        return f"{code(section.name)} skipped: {plain(section.declaration.skip_reason)}"
    columns = short_columns(section)
    rows = [
        (code(row.point) if row.point else "", code(cell.case.variant), phase, *(c.say(cell, phase) for c in columns))
        for row in section.rows
        for cell in row.cells
        for phase in section.phases or ("",)
    ]
    header = ("point", "variant", "phase", *(column.title for column in columns))
    parts = [code(f"{section.name} {section.common}".strip())]
    if rows:
        parts.append(table(header, rows[:MOST_ROWS]))
    if len(rows) > MOST_ROWS:
        parts.append(f"… and {counted(len(rows) - MOST_ROWS, 'row')} more in `report.csv`.")
    parts.append("\n".join(f"- {plain(remark)}" for remark in remarks(section)))
    return "\n\n".join(part for part in parts if part)


def _part(part: Part) -> str:
    told = "\n".join(f"- {plain(remark)}" for remark in part.remarks)
    rows = [tuple(plain(cell) for cell in row) for row in part.rows[:MOST_ROWS]]
    return f"{table(part.header, rows)}\n\n{told}".rstrip()


def _environment(summary: Summary) -> str:
    facts = environment(summary).facts
    rows = [(plain(fact(key).label), code(str(value))) for key, value in facts.items() if value not in (None, "")]
    return f"{code(command(summary))}\n\n{table(('what', 'value'), rows)}".rstrip()
