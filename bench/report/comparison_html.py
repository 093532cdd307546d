"""A comparison as one file that is passed around: what changed around the numbers, a heat map, and every change."""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

from bench.analysis.change import STATES, Change, Comparison, Pair
from bench.report import comparison_words as words
from bench.report.charts import interval_picture, strips_picture
from bench.report.html import render

# Rows of one pair, of about 1 KB each; the rest is counted and stands in the CSV.
MOST_ROWS = 1000
# From which change on a cell of the heat map is tinted, and tinted more.
_TINTS = (0.01, 0.05, 0.20)


@dataclass(frozen=True, slots=True, kw_only=True)
class Tile:
    """One cell of the heat map: what it says, and the class that tints it."""

    text: str
    tint: str


def html(comparison: Comparison, fail_on: Collection[str]) -> str:
    """The whole page; the same reports give the same bytes."""
    detailed = comparison.pairs[-words.DETAILED_PAIRS :]
    matrix = words.matrix(comparison) if comparison.steps else {}
    return render(
        "comparison.html",
        title=_title(comparison),
        comparison=comparison,
        outcome=words.outcome(comparison, fail_on),
        promise=words.promise(comparison),
        pairs=comparison.pairs,
        detailed=detailed,
        words=words,
        legend=words.LEGEND,
        heat=_heat(matrix),
        heat_left_out=len(matrix) - MOST_ROWS,
        rows=_rows(detailed),
        left_out=[(pair, len(pair.changes) - MOST_ROWS) for pair in detailed if len(pair.changes) > MOST_ROWS],
        states=STATES,
        suites=sorted({change.case.split("/")[0] for pair in detailed for change in pair.changes if change.case}),
        interval_picture=interval_picture,
        strips_picture=strips_picture,
    )


def _title(comparison: Comparison) -> str:
    base, *_, last = [comparison.pairs[0].base, *(pair.new for pair in comparison.pairs)]
    between = len(comparison.pairs) - 1
    return f"{base} against {last}" + (f", and {between} between" if between else "")


def _rows(pairs: Collection[Pair]) -> list[tuple[Pair, Change]]:
    """The strongest evidence first, of all pairs together."""
    found = [(pair, change) for pair in pairs for change in pair.changes[:MOST_ROWS]]
    return sorted(found, key=lambda row: STATES.index(row[1].state))


def _heat(matrix: Mapping[tuple[str, str], Sequence[words.Cell]]) -> dict[str, list[Tile]]:
    """Case and metric -> a tile for each report after the first."""
    return {
        f"{case or 'the whole report'} {metric}".strip(): [
            Tile(text=words.cell(*cell), tint=_tint(cell[0])) for cell in row
        ]
        for (case, metric), row in list(matrix.items())[:MOST_ROWS]
    }


def _tint(change: Change | None) -> str:
    """``up2``: worse by more than 5 %, ``down1``: better by more than 1 %; a state where there is no ratio."""
    if change is None:
        return ""
    if not change.ratio:
        return change.state
    log = math.log(change.ratio)
    level = sum(abs(log) > math.log1p(least) for least in _TINTS)
    worse = (log > 0) == (change.better != "higher")
    return f"{'up' if worse else 'down'}{level}" if level else ""
