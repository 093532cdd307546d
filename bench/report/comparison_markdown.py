"""A comparison for the summary of a CI step or a pull request: the worst first, nothing cut off silently."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import accumulate, groupby

from bench.analysis.change import Change, Comparison, Pair, State
from bench.report import comparison_words as words
from bench.report.markdown import code, folded, plain, table
from bench.report.words import counted

# Rows of one state, as many as anybody reads.
MOST_ROWS = 100
# GitHub shows 1 MiB of a step summary: there are up to 30 tables of changes, a matrix, and 8 lists and other tables.
_TABLE_BYTES, _MATRIX_BYTES, _LIST_BYTES = 24 << 10, 128 << 10, 8 << 10
# Reports in the matrix: more are wider than any screen.
MOST_REPORTS = 12
_OPEN: frozenset[State] = frozenset({"worse", "failed", "missing", "invalid", "incomparable"})


def markdown(comparison: Comparison, fail_on: Collection[str]) -> str:
    """The whole comparison as GitHub and GitLab show it."""
    parts = [f"## The gate {words.outcome(comparison, fail_on)}"]
    parts.append(_list([plain(note) for note in comparison.notes], "\n\n"))
    if comparison.steps:
        parts.append(_matrix(comparison))
    earlier = comparison.pairs[: -words.DETAILED_PAIRS]
    parts.append(
        _list([f"- {code(p.base)} → {code(p.new)}: {words.counts(p)} (`--format csv` lists all)" for p in earlier])
    )
    for pair in comparison.pairs[-words.DETAILED_PAIRS :]:
        parts += _pair(pair)
    parts.append(f"<sub>{plain(words.promise(comparison))}</sub>")
    return "\n\n".join(part for part in parts if part) + "\n"


def _pair(pair: Pair) -> Iterator[str]:
    yield f"### {code(pair.base)} → {code(pair.new)}: {words.counts(pair)}"
    yield _list([f"- {plain(sentence)}" for sentence in words.surroundings(pair)])
    blocking = words.blocking(pair)
    if blocking:
        rows = [(plain(d.label), code(d.base), code(d.new), code(d.key)) for d in blocking]
        yield _table(("must agree", "base", "new", "key"), rows, _LIST_BYTES)
        yield plain(words.remedy(pair))
    for state, changes in groupby(pair.changes, key=lambda change: change.state):
        found = list(changes)
        title, body = f"{len(found)} {state}: {words.MEANINGS[state]}", _rows(found)
        yield f"**{title}**\n\n{body}" if state in _OPEN else folded(title, body)


def _rows(changes: Sequence[Change]) -> str:
    rows = [
        (code(change.case or "the whole report"), code(change.metric) if change.metric else "", words.effect(change),
         plain(words.details(change)))
        for change in changes[:MOST_ROWS]
    ]  # fmt: skip
    return _table(("case", "metric", "change", "why"), rows, _TABLE_BYTES, of=len(changes))


def _table(header: Sequence[str], rows: Sequence[Sequence[str]], most_bytes: int, of: int = 0) -> str:
    """As many rows as fit, and how many of ``of``, or of the rows, were left out."""
    shown = _fitting(rows, most_bytes)
    left_out = max(of, len(rows)) - shown
    rest = f"\n\n… and {counted(left_out, 'more row')}: `--format csv` lists all." if left_out else ""
    return f"{table(header, rows[:shown])}{rest}"


def _list(lines: Sequence[str], between: str = "\n") -> str:
    shown = _fitting([(line,) for line in lines], _LIST_BYTES)
    rest = [f"… and {len(lines) - shown} more: `--format json` holds all."] if shown < len(lines) else []
    return between.join((*lines[:shown], *rest))


def _fitting(rows: Sequence[Sequence[str]], most_bytes: int) -> int:
    """How many rows fit; a cell takes three characters more than its text."""
    ends = accumulate(sum(len(cell.encode()) + 3 for cell in row) for row in rows)
    return sum(end <= most_bytes for end in ends)


def _matrix(comparison: Comparison) -> str:
    shown = slice(max(0, len(comparison.pairs) - MOST_REPORTS), None)
    rows = words.matrix(comparison)
    lines = [
        (code(case or "the whole report"), code(metric) if metric else "", *(words.cell(*cell) for cell in row[shown]))
        for (case, metric), row in list(rows.items())[:MOST_ROWS]
    ]
    header = ("case", "metric", *(code(pair.new) for pair in comparison.pairs[shown]))
    body = _table(header, lines, _MATRIX_BYTES, of=len(rows))
    earlier = f"\n\n… and {counted(shown.start, 'earlier report')}." if shown.start else ""
    return f"{counted(len(comparison.pairs) + 1, 'report')}: {words.LEGEND}\n\n{body}{earlier}"
