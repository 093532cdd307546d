"""What ``bench list`` says: benchmarks with their cases and claims, as text or JSON."""

from __future__ import annotations

import json
from collections.abc import Sequence

from bench.model import Case, Declaration
from bench.report.words import escape


def as_text(declarations: Sequence[Declaration], cases: Sequence[Case]) -> str:
    """A paragraph per benchmark: question, claims with their notes, cases."""
    return "\n\n".join(_paragraph(d, [c for c in cases if c.name_of_benchmark == d.name]) for d in declarations)


def _paragraph(declaration: Declaration, cases: Sequence[Case]) -> str:
    lines = [f"{declaration.name}: {escape(declaration.question)}"]
    if declaration.skip_reason:
        lines.append(f"  skipped: {escape(declaration.skip_reason)}")
    lines += [f"  claim {escape(c.text)}{f'  [{escape(c.cited)}]' if c.note else ''}" for c in declaration.claims]
    lines += [f"  {case.id}" for case in cases]
    return "\n".join(lines)


def as_json(declarations: Sequence[Declaration], cases: Sequence[Case]) -> str:
    """The same as a list of objects, one per benchmark."""
    entries = [_entry(d, [c for c in cases if c.name_of_benchmark == d.name]) for d in declarations]
    return json.dumps(entries, indent=1)


def _entry(declaration: Declaration, cases: Sequence[Case]) -> dict[str, object]:
    return {
        "suite": declaration.suite,
        "benchmark": declaration.benchmark,
        "question": declaration.question,
        "explanation": declaration.explanation,
        "version": declaration.version,
        "phases": list(declaration.phases),
        "skipped": declaration.skip_reason,
        "claims": [
            {"claim": c.text, "note": c.note, "source": c.source, "within": c.within, "on": c.on, "at": dict(c.at)}
            for c in declaration.claims
        ],
        "cases": [{"case": c.id, "variant": c.variant, "baseline": c.baseline, "point": dict(c.point)} for c in cases],
    }
