"""A comparison as JUnit XML, for the CI servers that show those."""

from __future__ import annotations

from collections.abc import Collection
from xml.etree import ElementTree

from bench.analysis.change import Change, Comparison, Pair
from bench.analysis.compare import fails
from bench.report.comparison_words import details, effect
from bench.report.words import escape

_PASSES = frozenset({"same", "better", "new"})


def junit(comparison: Comparison, fail_on: Collection[str]) -> str:
    """What fails the gate fails; what is excused passes; what was not shown either way is skipped with its reason."""
    root = ElementTree.Element("testsuites", name="bench compare")
    for pair in comparison.pairs:
        root.append(_suite(pair, fail_on))
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _suite(pair: Pair, fail_on: Collection[str]) -> ElementTree.Element:
    cases = [_case(change, fail_on) for change in pair.changes]
    suite = ElementTree.Element("testsuite", name=f"{escape(pair.base)} -> {escape(pair.new)}", tests=str(len(cases)))
    for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
        suite.set(attribute, str(sum(case.find(tag) is not None for case in cases)))
    suite.extend(cases)
    return suite


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
