"""A comparison for programs: JSON with every verdict and its numbers, and CSV with one row per change."""

from __future__ import annotations

import csv
import dataclasses
import io
import json
from collections.abc import Collection
from functools import partial
from typing import Any

from bench.analysis.change import Change, Comparison, Pair
from bench.analysis.compare import exit_status
from bench.report.cells import neutralise
from bench.report.comparison_words import tally
from bench.report.words import escape

# History of this format:
#   1  2026-11  first
SCHEMA = 1

_LONGEST_CELL = 20_000
# The values of processes stand in the reports themselves.
_FIELDS = tuple(name for name in Change._fields if name not in ("base_values", "new_values"))


def as_json(comparison: Comparison, fail_on: Collection[str]) -> str:
    """The whole comparison; what is not known is null."""
    data = {
        "schema": SCHEMA,
        "exit_status": exit_status(comparison, fail_on),
        "fail_on": sorted(fail_on),
        "floor": comparison.floor,
        "false_discovery_rate": comparison.fdr,
        "confidence": comparison.confidence,
        "notes": comparison.notes,
        "pairs": [_pair(pair) for pair in comparison.pairs],
        "steps": [_pair(pair) for pair in comparison.steps],
    }
    return json.dumps(data, default=lambda later: later(), allow_nan=False) + "\n"


def _pair(pair: Pair) -> dict[str, Any]:
    data = {field.name: getattr(pair, field.name) for field in dataclasses.fields(pair)}
    differences = [dataclasses.asdict(difference) for difference in pair.differences]
    # Each change becomes plain data when its turn comes: a hundred reports make hundreds of thousands.
    changes = [partial(_plain, change) for change in pair.changes]
    return {"counts": dict(tally(pair.changes)), **data, "differences": differences, "changes": changes}


def _plain(change: Change) -> dict[str, Any]:
    return {name: getattr(change, name) for name in _FIELDS}


def as_csv(comparison: Comparison, fail_on: Collection[str]) -> str:  # noqa: ARG001  every format is called alike
    """One row per change; ``against`` says whether the new report is compared with the first or with the one before."""
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(("against", "base_report", "new_report", *_FIELDS))
    for against, pairs in (("first", comparison.pairs), ("previous", comparison.steps)):
        for pair in pairs:
            for change in pair.changes:
                writer.writerow([_safe(cell) for cell in (against, pair.base, pair.new, *_cells(change))])
    return text.getvalue()


def _safe(cell: object) -> object:
    """A cell that neither a spreadsheet runs nor a terminal obeys."""
    if not isinstance(cell, str) or (cell.isprintable() and cell[:1].isalnum()):
        return cell
    return neutralise(escape(cell, _LONGEST_CELL))


def _cells(change: Change) -> list[object]:
    """Numbers with every digit, nothing for what is not known."""
    cells = [getattr(change, name) for name in _FIELDS]
    return [repr(cell) if isinstance(cell, float) else "" if cell is None else cell for cell in cells]
