"""Did anything change between two reports, or many?  docs/method.md, two runs that were not interleaved."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Mapping, Sequence
from itertools import pairwise
from statistics import median

from bench.analysis.change import STATES, Change, Comparison, Pair, State
from bench.analysis.comparability import (
    REFERENCE,
    VERSION,
    check_allowed,
    differences,
    same_metronome,
    same_reference,
    unknown_facts,
)
from bench.analysis.gate import INCOMPARABLE, INVALID, MISSING, UNRESOLVED, WORSE, worst
from bench.analysis.intervals import FEWEST, ProcessValue
from bench.analysis.judging import Rule, judge
from bench.analysis.matching import Sides, match
from bench.analysis.phrases import percent
from bench.analysis.renames import hints
from bench.analysis.reported import Report
from bench.analysis.trials import Found, Trial
from bench.errors import BenchError

# Case and metric -> for each process measured on both sides, the log of the new value over the base's.
Paired = Mapping[tuple[str, str], Sequence[ProcessValue]]

# What `compare --fail-on` may name, and the status it ends with.
STATUSES: Mapping[str, int] = {
    "worse": WORSE,
    "missing": MISSING,
    "failed": MISSING,
    "skipped": MISSING,
    "incomparable": INCOMPARABLE,
    "invalid": INVALID,
    "unresolved": UNRESOLVED,
}
# A machine whose metronomes moved by more than this is worth a sentence.
WORTH_TELLING = 0.01
# Nothing was judged there, so whatever the user asked for, it is no pass.
ALWAYS: frozenset[State] = frozenset({"incomparable", "invalid"})


def fails(change: Change, fail_on: Collection[str]) -> bool:
    """Whether a change fails the gate; what is excused does not."""
    return not change.excused and change.state in STATUSES and (change.state in fail_on or change.state in ALWAYS)


def exit_status(comparison: Comparison, fail_on: Collection[str]) -> int:
    """The status a comparison ends with."""
    return worst({STATUSES[change.state] for change in comparison.changes if fails(change, fail_on)})


def compare(
    reports: Sequence[Report], *, rule: Rule | None = None, allow: Collection[str] = (), paired: Paired | None = None
) -> Comparison:
    """Compare the first report with each of the others, and from three on each with the one before.

    ``paired``: log ratios of processes that were measured side by side (`ab`); they take the place of the test
    between independent reports.
    ``allow``: facts that may differ (patterns as ``env.*``); ``version`` allows benchmarks whose source did.
    Raises BenchError for a unit that differs or for an unknown fact.
    """
    if len(reports) < 2:
        raise BenchError("compare needs two reports or more: bench compare BASE NEW")
    check_allowed(allow, reports)
    rule = rule or Rule()
    base, *others = reports
    first = [(base, new) for new in others]
    steps = list(pairwise(reports)) if len(others) > 1 else []
    return Comparison(
        pairs=_pairs(first, rule, allow, paired or {}),
        steps=_pairs(steps, rule, allow, {}),
        floor=rule.floor,
        fdr=rule.fdr,
        confidence=rule.confidence,
    )


def _pairs(
    reports: Sequence[tuple[Report, Report]], rule: Rule, allow: Collection[str], paired: Paired
) -> tuple[Pair, ...]:
    """All pairs, judged together: every one of them is a chance for a false alarm."""
    sides = [_sides(base, new, allow) for base, new in reports]
    found = [_with_pace([_with_pairs(item, paired) for item in match(side)]) for side in sides]
    judged = iter(judge([item for items in found for item in items if isinstance(item, Trial)], rule))
    return tuple(
        _pair(side, [next(judged) if isinstance(item, Trial) else item for item in items])
        for side, items in zip(sides, found, strict=True)
    )


def _with_pairs(item: Found, paired: Paired) -> Found:
    """A trial on the log ratios of its processes, if they were measured side by side.

    Against a base without any spread Welch's test is Student's on those ratios.
    """
    if not isinstance(item, Trial):
        return item
    ratios = paired.get((item.match.new.case, item.match.new.metric))
    if ratios is None or len(ratios) < FEWEST:
        return item
    return item._replace(
        base_values=(1.0,) * len(ratios),
        new_values=tuple(math.exp(ratio.log) for ratio in ratios),
        new_variances=tuple(ratio.variance for ratio in ratios),
        adjusted=False,
        pace=0.0,
        restless=False,
        luck=0.0,
    )


def _with_pace(items: Sequence[Found]) -> Sequence[Found]:
    """The pace of the machine for the times beside which it was not known, such as those of first calls."""
    known = [item.pace for item in items if isinstance(item, Trial) and item.pace is not None]
    if not known:
        return items
    usual = median(known)
    return [
        item._replace(pace=usual)
        if isinstance(item, Trial) and item.pace is None and item.match.new.unit == "s"
        else item
        for item in items
    ]


def _sides(base: Report, new: Report, allow: Collection[str]) -> Sides:
    differ = differences(base, new, allow=allow)
    blocking = ", ".join(d.label for d in differ if d.blocks)
    return Sides(
        base=base,
        new=new,
        differ=differ,
        adjust=same_metronome(base, new),
        beside=same_reference(base, new, differ),
        blocked=f"another {blocking}" if blocking else "",
        unjudged=base.unknown or new.unknown,
        any_version=VERSION in allow,
        same_software=all(d.kind == "note" for d in differ),  # threads, too, change bits where they may differ
    )


def _pair(sides: Sides, changes: Sequence[Change]) -> Pair:
    whole = [change for change in changes if not change.metric]
    return Pair(
        base=sides.base.name,
        new=sides.new.name,
        differences=sides.differ,
        unknown_facts=unknown_facts(sides.base, sides.new),
        notes=tuple(_notes(sides, changes)),
        hints=hints(
            missing=[change.case for change in whole if change.state == "missing"],
            new=[change.case for change in whole if change.state == "new"],
        ),
        changes=tuple(sorted(changes, key=_evidence)),
    )


def _notes(sides: Sides, changes: Sequence[Change]) -> Iterator[str]:
    if sides.base.unfinished:
        yield f"{sides.base.name} is not finished: {sides.base.unfinished}"
    yield from (*sides.base.notes, *sides.new.notes)
    paces = [c.machine for c in changes if c.machine is not None and not c.relative]
    if paces and abs(math.log(median(paces))) > WORTH_TELLING:
        way, by = ("slower", median(paces)) if median(paces) > 1 else ("faster", 1 / median(paces))
        yield (
            f"the machine itself was {percent(by - 1)} {way} while {sides.new.name} was measured (metronomes): "
            "measure again when it is quiet, or both side by side with bench ab"
        )
    yield from _references(sides, sum(change.relative for change in changes))
    adjusted = sum(change.adjusted for change in changes)
    if adjusted:
        yield f"{adjusted} times were compared as adjusted by the metronomes; the values shown are raw"
    elif not sides.adjust and any(m.endswith("/adjusted") for rows in sides.new.rows.values() for m in rows):
        yield (
            "raw times were compared: the metronomes of the two reports are not known to be the same "
            "(Python, OpenSSL and CPU model must agree)"
        )


def _references(sides: Sides, relative: int) -> Iterator[str]:
    """What became of the reference that both reports were timed beside."""
    named = sides.base.facts.get(REFERENCE)
    if relative:
        yield (
            f"{relative} times were compared as multiples of what the reference took beside them "
            f"({' | '.join(named or ())}); the values shown are as measured"
        )
    elif named and named == sides.new.facts.get(REFERENCE) and not (sides.beside or sides.blocked):
        yield (
            "times were compared as measured: what differs of the machine and its system, the reference felt as well"
        )


def _evidence(change: Change) -> tuple[int, float, float, str, str]:
    """Sort key: states in their order, then what is least likely to be chance, then what is largest."""
    size = abs(math.log(change.ratio)) if change.ratio else 0.0
    return STATES.index(change.state), change.p or 0.0, -size, change.case, change.metric
