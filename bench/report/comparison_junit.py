"""A comparison as JUnit XML, for the CI servers that show those."""

from __future__ import annotations

from collections.abc import Collection
from xml.etree import ElementTree

from bench.analysis.change import Change, Comparison
from bench.analysis.compare import fails
from bench.report.comparison_words import details, effect
from bench.report.junit import document
from bench.report.words import escape

_PASSES = frozenset({"same", "better", "new"})


def junit(comparison: Comparison, fail_on: Collection[str]) -> str:
    """What fails the gate fails; what is excused passes; what was not shown either way is skipped with its reason."""
    return document(
        "bench compare",
        ((f"{p.base} -> {p.new}", [_case(change, fail_on) for change in p.changes]) for p in comparison.pairs),
    )


def _case(change: Change, fail_on: Collection[str]) -> ElementTree.Element:
    case = ElementTree.Element(
        "testcase", classname=escape(change.case or "report"), name=escape(change.metric or "all")
    )
    text = f"{change.state}: {effect(change)}; {details(change)}"
    if fails(change, fail_on):
        tag = "failure" if change.state in ("worse", "missing", "unresolved", "skipped") else "error"
        ElementTree.SubElement(case, tag, message=text, type=change.state)
    elif change.state in _PASSES or change.excused:
        ElementTree.SubElement(case, "system-out").text = text
    else:
        ElementTree.SubElement(case, "skipped", message=text)
    return case
