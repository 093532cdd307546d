"""Suspects measured again: a change counts only if new processes tell it once more, in the same direction.

The second comparison is a fresh sample with the same rule, so a false alarm must happen twice and the rate that was
advertised for one comparison holds for the two together.
"""

from __future__ import annotations

from dataclasses import replace

from bench.analysis.change import Change, Comparison

SUSPECT = ("worse", "better")
# No answer of statistics: a case that breaks when it is measured again is no pass.
_TROUBLE = ("failed", "missing", "invalid", "incomparable", "skipped")


def suspicious(comparison: Comparison) -> tuple[str, ...]:
    """Ids of the cases with a change in a number that took statistics; exact ones would only repeat themselves."""
    found = {c.case for pair in comparison.pairs for c in pair.changes if c.state in SUSPECT and c.p is not None}
    return tuple(sorted(found))


def confirmed(first: Comparison, again: Comparison) -> Comparison:
    """The first comparison, with every suspect as the second one found it; what broke there is told as broken."""
    second = {(c.case, c.metric): c for c in again.changes}
    trouble = {c.case: c for c in again.changes if c.state in _TROUBLE}
    pairs = tuple(
        replace(
            pair,
            changes=tuple(_settled(c, second.get((c.case, c.metric)) or trouble.get(c.case)) for c in pair.changes),
        )
        for pair in first.pairs
    )
    return replace(first, pairs=pairs)


def _settled(change: Change, again: Change | None) -> Change:
    if change.state not in SUSPECT or change.p is None:
        return change
    if again is None:
        return change._replace(state="unresolved", reason=f"looked {change.state}, but could not be measured again")
    if again.state == change.state:
        return again._replace(reason="told again by new processes")
    if again.state in _TROUBLE:
        reason = f"looked {change.state} once, then in new processes: {again.reason}"
        return again._replace(metric=change.metric, reason=reason)
    return again._replace(state="unresolved", reason=f"looked {change.state} once, {again.state} in new processes")
