"""A comparison for the summary of a CI step or a pull request: the worst first, nothing cut off silently."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from itertools import groupby

from bench.analysis.change import Change, Comparison, Pair, State
from bench.report import comparison_words as words
from bench.report.markdown import code, folded, plain, table
from bench.report.words import counted

# Rows of one state: a step summary takes 1 MiB, a row up to 2 KiB.
MOST_ROWS = 100
# Reports in the matrix: more are wider than any screen.
MOST_REPORTS = 12
_OPEN: frozenset[State] = frozenset({"worse", "failed", "missing", "invalid", "incomparable"})


def markdown(comparison: Comparison, fail_on: Collection[str]) -> str:
    """The whole comparison as GitHub and GitLab show it."""
    parts = [f"## The gate {words.outcome(comparison, fail_on)}"]
    parts += [plain(note) for note in comparison.notes]
    if comparison.steps:
        parts.append(_matrix(comparison))
    earlier = comparison.pairs[: -words.DETAILED_PAIRS]
    parts.append(
        "\n".join(f"- {code(p.base)} → {code(p.new)}: {words.counts(p)} (`--format csv` lists all)" for p in earlier)
    )
    for pair in comparison.pairs[-words.DETAILED_PAIRS :]:
        parts += _pair(pair)
    parts.append(f"<sub>{plain(words.promise(comparison))}</sub>")
    return "\n\n".join(part for part in parts if part) + "\n"


def _pair(pair: Pair) -> Iterator[str]:
    yield f"### {code(pair.base)} → {code(pair.new)}: {words.counts(pair)}"
    yield "\n".join(f"- {plain(sentence)}" for sentence in words.surroundings(pair))
    blocking = words.blocking(pair)
    if blocking:
        rows = [(plain(d.label), code(d.base), code(d.new), code(d.key)) for d in blocking]
        yield table(("must agree", "base", "new", "key"), rows)
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
    body = table(("case", "metric", "change", "why"), rows)
    return f"{body}{_rest(len(changes))}"


def _rest(number: int) -> str:
    return (
        f"\n\n… and {counted(number - MOST_ROWS, 'more row')}: `--format csv` lists all." if number > MOST_ROWS else ""
    )


def _matrix(comparison: Comparison) -> str:
    shown = slice(max(0, len(comparison.pairs) - MOST_REPORTS), None)
    rows = words.matrix(comparison)
    body = table(
        ("case", "metric", *(code(pair.new) for pair in comparison.pairs[shown])),
        (
            (
                code(case or "the whole report"),
                code(metric) if metric else "",
                *(words.cell(*cell) for cell in row[shown]),
            )
            for (case, metric), row in list(rows.items())[:MOST_ROWS]
        ),
    )
    earlier = f"\n\n… and {counted(shown.start, 'earlier report')}." if shown.start else ""
    return f"{counted(len(comparison.pairs) + 1, 'report')}: {words.LEGEND}\n\n{body}{_rest(len(rows))}{earlier}"
