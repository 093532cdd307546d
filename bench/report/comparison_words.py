"""A comparison in words: what differs around it, how many of what, and each change with its evidence."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence

from bench.analysis.change import STATES, Change, Comparison, Pair, State
from bench.analysis.comparability import Difference
from bench.analysis.compare import exit_status, fails
from bench.report.words import NOTHING, change, counted, escape, quantity, share

# Pairs of reports told in full; of the earlier ones the counts.
DETAILED_PAIRS = 3

MEANINGS: dict[State, str] = {
    "worse": "beyond the floor, and not by chance",
    "failed": "broke or ran out of memory or time",
    "missing": "was there and is not any more",
    "invalid": "no trustworthy number",
    "incomparable": "another machine or another benchmark",
    "unresolved": "neither a change nor its absence is shown",
    "better": "beyond the floor, and not by chance",
    "skipped": "does not apply here",
    "new": "nothing to compare it with",
    "same": "within the floor",
}


def surroundings(pair: Pair) -> Iterator[str]:
    """What differs around the numbers, what nobody knows, and what else to know before reading on."""
    changed = [d for d in pair.differences if d.kind == "under test"]
    allowed = [d for d in pair.differences if d.kind in ("machine", "context") and not d.blocks]
    noted = [d for d in pair.differences if d.kind == "note"]
    yield (
        f"what changed: {_listed(changed)}" if changed else "what changed: nothing that is known of what is under test"
    )
    if allowed:
        yield f"differs, and is allowed to: {_listed(allowed)}"
    if noted:
        yield f"also differs: {_listed(noted)}"
    if pair.unknown_facts:
        yield f"known of one report only, so not compared: {', '.join(map(escape, pair.unknown_facts))}"
    yield from (escape(note, 400) for note in pair.notes)
    yield from (f"{escape(hint, 400)}: was something renamed?" for hint in pair.hints)


def blocking(pair: Pair) -> tuple[Difference, ...]:
    """The facts that make two reports incomparable."""
    return tuple(difference for difference in pair.differences if difference.blocks)


def remedy(pair: Pair) -> str:
    """How to compare reports that were found incomparable all the same."""
    keys = ",".join(difference.key for difference in blocking(pair))
    return f"measure both on one machine, or allow it: --allow-diff {escape(keys, 1000)}"


def _listed(differences: Sequence[Difference]) -> str:
    return ", ".join(f"{escape(d.label)} {escape(d.base)} -> {escape(d.new)}" for d in differences)


def counts(pair: Pair) -> str:
    """``2 worse, 1 missing, 120 same``, the worst first."""
    excused = sum(bool(c.excused) for c in pair.changes)
    found = [f"{count} {state}" for state, count in tally(pair.changes)]
    return (", ".join(found) or "nothing to compare") + (f" ({excused} excused)" if excused else "")


def tally(changes: Collection[Change]) -> tuple[tuple[State, int], ...]:
    """How many changes have each state, the worst state first."""
    numbers = dict.fromkeys(STATES, 0)
    for each in changes:
        numbers[each.state] += 1
    return tuple((state, number) for state, number in numbers.items() if number)


def name(item: Change) -> str:
    """Which case and metric: what a reader searches for."""
    if not item.case:
        return "the whole report"
    return f"{escape(item.case)} {escape(item.metric)}".rstrip()


def effect(item: Change) -> str:
    """``+4.1 % [3.6, 4.7]``, or a dash where nothing was measured on both sides."""
    return change(item.ratio, item.low, item.high)


def details(item: Change) -> str:
    """Values, what the bits say, the reason or the evidence, and why it is excused."""
    parts = [_values(item), _bits(item), escape(item.reason, 400), _evidence(item), escape(item.excused, 400)]
    return "; ".join(part for part in parts if part)


def _values(item: Change) -> str:
    if item.base is None and item.new is None:
        return ""
    values = f"{quantity(item.base, item.unit)} -> {quantity(item.new, item.unit)}"
    return f"{values} (adjusted)" if item.adjusted else values


def _bits(item: Change) -> str:
    if not item.metric.startswith("time/") or not item.bits:
        return ""
    time = {"worse": ", other time", "better": ", other time", "same": ", same time"}.get(item.state, "")
    return item.bits + time


def _evidence(item: Change) -> str:
    if item.p is None or item.state not in ("worse", "better"):
        return ""
    return f"{item.base_processes} and {item.new_processes} processes, p = {item.p:.1g}"


def promise(comparison: Comparison) -> str:
    """The error rate that the verdicts carry."""
    tests = sum(change.p is not None for change in comparison.changes)
    if not tests:
        return "Nothing was compared that needs statistics."
    return (
        f"At most {share(comparison.fdr)} of what is called worse or better is expected to be a false alarm "
        f"(Benjamini-Hochberg over {counted(tests, 'test')}; floor {100 * comparison.floor:.3g} %; "
        f"intervals {100 * comparison.confidence:.3g} %)."
    )


def outcome(comparison: Comparison, fail_on: Collection[str]) -> str:
    """Whether the gate passes, and what fails it."""
    failing = tally([change for change in comparison.changes if fails(change, fail_on)])
    if not failing:
        return "passes (exit status 0)"
    told = ", ".join(f"{number} {state}" for state, number in failing)
    return f"fails: {told} (exit status {exit_status(comparison, fail_on)})"


def cell(item: Change | None, step: Change | None) -> str:
    """A cell of the matrix: ratio to the first report with a sign for its state, and ratio to the one before."""
    if item is None:
        return NOTHING
    if item.ratio is None:
        return item.state
    sign = {"worse": "!", "better": "*", "unresolved": "?"}.get(item.state, "")
    stepped = f" ({change(step.ratio)})" if step is not None and step.ratio is not None else ""
    return f"{change(item.ratio)}{sign}{stepped}"


LEGEND = "ratio to the first report (to the one before); ! worse, * better, ? unresolved"


Cell = tuple[Change | None, Change | None]


def matrix(comparison: Comparison) -> dict[tuple[str, str], list[Cell]]:
    """(case, metric) -> for each report after the first its change and its step; only where something changed.

    What became of a whole case stands in the rows of all its metrics.
    """
    dull = STATES.index("same")
    changed = {c.case for pair in comparison.pairs for c in pair.changes if STATES.index(c.state) < dull}
    found = [_by_key(pair, changed) for pair in comparison.pairs]
    steps = [_by_key(step, changed) for step in comparison.steps]
    keys = {key for changes in found for key in changes}
    with_metrics = {case for case, metric in keys if metric}
    rows = {
        (case, metric): [
            (changes.get((case, metric)) or changes.get((case, "")), step.get((case, metric)))
            for changes, step in zip(found, steps, strict=True)
        ]
        for case, metric in keys
        if metric or case not in with_metrics
    }
    worst = {key: min(STATES.index(c.state) for c, _ in row if c is not None) for key, row in rows.items()}
    return {key: rows[key] for key in sorted(rows, key=lambda key: (worst[key], key)) if worst[key] < dull}


def _by_key(pair: Pair, cases: Collection[str]) -> dict[tuple[str, str], Change]:
    return {(change.case, change.metric): change for change in pair.changes if change.case in cases}
