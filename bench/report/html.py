"""``report.html``: a run as one file that is passed around: no network, light and dark, printable, searchable."""

from __future__ import annotations

import base64
import hashlib
from dataclasses import dataclass
from functools import cache

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from bench.analysis.environment_facts import fact
from bench.analysis.summary import Summary
from bench.model import Check, Record, Verdict
from bench.report.arrange import DECISIONS, Cell, Section, badness, sections
from bench.report.charts import course_chart, effect_picture, memory_chart, rate_chart, ratio_chart, samples_chart
from bench.report.columns import all_columns
from bench.report.determinism import parts as parts_of_determinism
from bench.report.sentences import command, environment, headlines, remarks, subject
from bench.report.series import taken
from bench.report.words import by_verdict, change, escape, repeats

# What the dots of all samples may cost together; 8 bytes each.  500 cases x 10 processes still fit 3 MB.
_MOST_DOTS = 120_000
_LEVELS = 86  # pixels: no more heights can be told apart


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """One row of the table of claims."""

    verdict: Verdict
    point: str
    anchor: str


def html(summary: Summary) -> str:
    """The whole page; the same records give the same bytes."""
    arranged = sections(summary)
    levels = _levels(arranged)
    return render(
        "report.html",
        subject=subject(summary),
        manifest=summary.manifest,
        headlines=headlines(summary),
        command=command(summary),
        judgements=_judgements(arranged),
        suites=sorted({section.declaration.suite for section in arranged}),
        decisions=DECISIONS,
        sections=[(f"b{i}", section) for i, section in enumerate(arranged)],
        repeats=_checks(arranged),
        determinism=parts_of_determinism(summary),
        facts=_facts(summary),
        samples=lambda section: Markup("").join(samples_chart(label, found, levels) for label, found in taken(section)),
        ratio_chart=ratio_chart,
        course_chart=course_chart,
        memory_chart=memory_chart,
        rate_chart=lambda section: rate_chart(section, summary.manifest.ceilings),
        effect_picture=effect_picture,
        columns=all_columns,
        remarks=remarks,
        troubles=_troubles,
        change=change,
        said=repeats,
    )


def render(template: str, **values: object) -> str:
    """A page from its template; every value is escaped."""
    page: str = _environment().get_template(template).render(script_hash=_script_hash(), **values)
    return page


@cache
def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("bench.report"),
        autoescape=True,
        finalize=_shown,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["lines"] = _lines
    return environment


def _shown(value: object) -> object:
    """Every text that goes into the page: harmless, and as long as one can read."""
    return value if isinstance(value, Markup) else escape(value, 2000)


def _lines(text: str) -> Markup:
    """A text of many lines, each of them harmless."""
    return Markup("\n").join(escape(line, 500) for line in text.splitlines()[:500])


@cache
def _script_hash() -> str:
    """What the page's own policy allows to run; nothing else does, whatever a name contains."""
    script = _environment().get_template("report.js").render()
    return base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()


def _levels(arranged: tuple[Section, ...]) -> int:
    columns = sum(len(v.processes) for section in arranged for _, found in taken(section) for v in found)
    return max(8, min(_LEVELS, _MOST_DOTS // max(1, columns)))


def _judgements(arranged: tuple[Section, ...]) -> list[Judgement]:
    """Worst first; what does not apply last."""
    points = {cell.case.id: row.point for section in arranged for row in section.rows for cell in row.cells}
    found = [
        Judgement(verdict=verdict, point=points.get(verdict.case.id, ""), anchor=f"b{i}")
        for i, section in enumerate(arranged)
        for verdict in section.verdicts
    ]
    return sorted(found, key=lambda j: badness(j.verdict))


def _checks(arranged: tuple[Section, ...]) -> list[tuple[Cell, Check]]:
    """The determinism checks, worst first."""
    cells = (cell for section in arranged for row in section.rows for cell in row.cells)
    found = [(cell, check) for cell in cells for check in cell.checks if check.level != "numeric"]
    return sorted(found, key=lambda pair: by_verdict(pair[1]))


def _troubles(section: Section) -> list[Record]:
    """The records of cases that broke and have more to tell than their reason."""
    records = (record for row in section.rows for cell in row.cells for record in cell.records)
    return [record for record in records if record.status != "ok" and record.warnings]


def _facts(summary: Summary) -> list[tuple[str, str]]:
    """What is known of machine and software, and why the rest is not."""
    known = environment(summary)
    return [
        (fact(key).label, str(value) if value is not None else f"unknown: {known.reasons.get(key, 'not asked')}")
        for key, value in known.facts.items()
        if value is not None or key in known.reasons
    ]
