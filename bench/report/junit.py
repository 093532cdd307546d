"""``junit.xml``: every claim as a test case, for the CI servers that show those."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from xml.etree import ElementTree

from bench.analysis.summary import Summary
from bench.model import Verdict
from bench.report.arrange import Section, sections
from bench.report.words import DECISIONS, because, escape


def junit(summary: Summary) -> str:
    """Confirmed claims pass, refuted ones fail, undecided ones are skipped with the reason; broken cases are errors."""
    found = [(section.name, [*map(_claim, section.verdicts), *_broken(section)]) for section in sections(summary)]
    return document("bench", found)


def document(name: str, suites: Iterable[tuple[str, Sequence[ElementTree.Element]]]) -> str:
    """JUnit's XML of named suites of test cases, each counted by how its cases ended."""
    root = ElementTree.Element("testsuites", name=name)
    for title, cases in suites:
        suite = ElementTree.SubElement(root, "testsuite", name=escape(title), tests=str(len(cases)))
        for attribute, tag in (("failures", "failure"), ("errors", "error"), ("skipped", "skipped")):
            suite.set(attribute, str(sum(case.find(tag) is not None for case in cases)))
        suite.extend(cases)
    ElementTree.indent(root)
    return f'<?xml version="1.0" encoding="UTF-8"?>\n{ElementTree.tostring(root, encoding="unicode")}\n'


def _claim(verdict: Verdict) -> ElementTree.Element:
    note = f" [{verdict.claim.cited}]" if verdict.claim.note else ""
    case = _case(verdict.case.id, f"{verdict.claim.text} {verdict.metric}{note}")
    evidence = escape(verdict.evidence, 1000)
    if verdict.decision == "refuted":
        ElementTree.SubElement(case, "failure", message=evidence, type="refuted")
    elif verdict.decision == "confirmed":
        ElementTree.SubElement(case, "system-out").text = evidence
    else:
        ElementTree.SubElement(case, "skipped", message=f"{DECISIONS[verdict.decision]}: {evidence}")
    return case


def _broken(section: Section) -> Sequence[ElementTree.Element]:
    cases = []
    for cell in (cell for row in section.rows for cell in row.cells):
        estimate = cell.problem
        if estimate is not None:
            case = _case(cell.case.id, "is measured")
            tag = "skipped" if estimate.status == "skipped" else "error"
            ElementTree.SubElement(case, tag, message=because(estimate.status, estimate.reason))
            cases.append(case)
    return cases


def _case(case_id: str, name: str) -> ElementTree.Element:
    return ElementTree.Element("testcase", classname=escape(case_id), name=escape(name))
