"""What ``--fail-on nondeterministic`` looks at: checks that differ, less those that somebody answers for."""

from __future__ import annotations

import datetime
from collections.abc import Iterable, Sequence
from dataclasses import replace

from bench.analysis.accept import Accept
from bench.analysis.change import Change
from bench.analysis.reported import REPEATS
from bench.model import Case, Check, Record


def unaccepted(
    records: Iterable[Record], accepts: Sequence[Accept], today: datetime.date
) -> tuple[tuple[Record, ...], tuple[str, ...]]:
    """The records without accepted checks, and a sentence for each entry that accepted something.

    An entry names its check as ``compare`` does, ``metric = "repeats/*"``, and says ``change = "worse"``: it then holds
    for both.  One that has expired counts for nothing.
    """
    valid = [entry for entry in accepts if today <= entry.expires]
    used: dict[str, int] = {}
    left = []
    for record in records:
        kept = []
        for check in record.checks:
            entry = next((e for e in valid if _covers(e, record.case, check)), None)
            if entry is None:
                kept.append(check)
            else:
                used[entry.text] = used.get(entry.text, 0) + 1
        left.append(replace(record, checks=tuple(kept)))
    return tuple(left), tuple(f"{text} accepts {count} of the checks that differ" for text, count in used.items())


def _covers(entry: Accept, case: Case, check: Check) -> bool:
    if check.verdict != "differs":
        return False
    knobs = f"[{check.knobs}]" if check.knobs else ""
    metric = f"{REPEATS}{check.level}/{check.what}{knobs}"
    return entry.covers(Change(case=case.id, metric=metric, state="worse"))
