"""How ``bench doctor`` tells what it found: as text or JSON."""

from __future__ import annotations

import json
import textwrap
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

from bench.report.words import counted, escape

_MARKS = {"ok": "ok      ", "warning": "warning ", "problem": "PROBLEM ", "unknown": "unknown "}
_WIDTH = 80


class Finding(Protocol):
    """What is said of one topic; see ``bench.measure.finding``."""

    @property
    def topic(self) -> str: ...
    @property
    def level(self) -> str: ...
    @property
    def fact(self) -> str: ...
    @property
    def remedy(self) -> str: ...


def as_text(findings: Sequence[Finding]) -> str:
    """A line or two for each finding, what to do indented under it, and the count at the end."""
    lines = [line for finding in findings for line in _lines(finding)]
    bad = Counter(finding.level for finding in findings)
    counts = ", ".join(counted(bad[level], level) for level in ("problem", "warning", "unknown") if bad[level])
    return "\n".join([*lines, "", counts or "nothing stands in the way of measuring"])


def _lines(finding: Finding) -> list[str]:
    mark = _MARKS[finding.level]
    said = textwrap.wrap(
        f"{escape(finding.topic)}: {escape(finding.fact, 400)}",
        _WIDTH,
        initial_indent=mark,
        subsequent_indent=" " * len(mark),
    )
    remedy = f"-> {escape(finding.remedy, 400)}" if finding.remedy else ""
    indent = " " * len(mark)
    return [*said, *textwrap.wrap(remedy, _WIDTH, initial_indent=indent, subsequent_indent=f"{indent}   ")]


def as_json(findings: Sequence[Finding]) -> str:
    """A list of objects with topic, level, fact and remedy."""
    keys = ("topic", "level", "fact", "remedy")
    return json.dumps([{key: getattr(finding, key) for key in keys} for finding in findings], indent=1)
