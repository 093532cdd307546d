"""From what a run or a comparison found to the exit status that CI acts on."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping

from bench.errors import BenchError, hint
from bench.model import Estimate, Record, Verdict

PASS, WORSE, USAGE, UNRESOLVED, INCOMPARABLE, MISSING, INVALID, INTERNAL, INTERRUPTED = 0, 1, 2, 3, 4, 5, 6, 7, 130

# Several at once: the first of these that applies.
_ORDER = (INTERNAL, INCOMPARABLE, WORSE, MISSING, INVALID, UNRESOLVED)

# What `run --fail-on` may name, and the status it ends with.
RUN_STATUSES: Mapping[str, int] = {
    "refuted": WORSE,
    "nondeterministic": WORSE,
    "undecided": UNRESOLVED,
    "failed": MISSING,
    "invalid": INVALID,
}


# What fails `compare` and `ab` unless the user names something else.
CHANGES_THAT_FAIL = "worse,missing,failed"


def worst(statuses: Iterable[int]) -> int:
    """The one status that stands for several."""
    found = set(statuses)
    return next((status for status in _ORDER if status in found), PASS)


def parse_fail_on(text: str, allowed: Mapping[str, int]) -> frozenset[str]:
    """``"refuted,failed"`` -> the set of names; ``none`` -> empty.  Raises BenchError with a suggestion."""
    names = [name.strip() for name in text.split(",") if name.strip() and name.strip() != "none"]
    for name in names:
        if name not in allowed:
            raise BenchError(f"--fail-on {name!r} is unknown; {hint(name, (*allowed, 'none'), 'use')}")
    return frozenset(names)


def run_status(
    verdicts: Iterable[Verdict], estimates: Iterable[Estimate], records: Iterable[Record], fail_on: Collection[str]
) -> int:
    """The exit status of ``run``."""
    seen: set[str] = {verdict.decision for verdict in verdicts}
    seen |= {"failed" if e.status in ("oom", "timeout") else e.status for e in estimates}
    if any(check.verdict == "differs" for record in records for check in record.checks):
        seen.add("nondeterministic")
    return worst(RUN_STATUSES[name] for name in fail_on if name in seen)
