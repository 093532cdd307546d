"""May two reports be compared?  What differs between their machines, what is under test, and what nobody knows."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase

from bench.analysis.environment_facts import FACTS, FactKind, fact, is_shared
from bench.analysis.reported import Report
from bench.errors import BenchError, hint

# What --allow-diff also takes: benchmarks whose source changed between the reports.
VERSION = "version"

# A fact of the process that `environment.json` has beside its variables, and a bare `report.csv` has not.
_OF_WHOLE_ENVIRONMENTS = "threads"

# Beside which environment a report's cases were timed; a report that does not say was timed alone.
REFERENCE = "reference"

# First what the comparison is about, then what forbids it.
_ORDER: tuple[FactKind, ...] = ("under test", "machine", "context", "note")


@dataclass(frozen=True, slots=True, kw_only=True)
class Difference:
    """One fact in which two reports differ; ``blocks`` when it makes them incomparable."""

    key: str
    label: str
    kind: FactKind
    base: str
    new: str
    blocks: bool


def differences(base: Report, new: Report, *, allow: Collection[str] = ()) -> tuple[Difference, ...]:
    """Every fact that both know and that differs, what is under test first; a variable that one side lacks is not set.

    Facts of the GPU count only where both hold GPU cases.  ``allow``: keys or patterns (``env.*``) that do not block.
    """
    devices = _devices(base) & _devices(new)
    found = [
        Difference(
            key=key,
            label=known.label,
            kind=known.kind,
            base=" | ".join(before),
            new=" | ".join(after),
            blocks=known.kind in ("machine", "context") and not any(fnmatchcase(key, pattern) for pattern in allow),
        )
        for key in {**base.facts, **new.facts}
        for known, before, after in [(fact(key), _values(base, key), _values(new, key))]
        if before and after and before != after and (not known.only or known.only in devices)
    ]
    return tuple(sorted(found, key=lambda d: (_ORDER.index(d.kind), d.key)))


def _values(report: Report, key: str) -> tuple[str, ...]:
    """Of a fact; empty where it is not known.  Whole environments know of every variable whether it is set."""
    unset: tuple[str, ...] = ()
    if key == REFERENCE and not report.unknown:
        unset = ("none",)
    elif key.startswith("env.") and _OF_WHOLE_ENVIRONMENTS in report.facts:
        unset = ("not set",)
    return tuple(report.facts.get(key, unset))


def _devices(report: Report) -> set[str]:
    """Kinds of device among the cases; the cases of other tools do not say, and may be on any."""
    return {case.rpartition("@")[2] if "@" in case else "cuda" for case in report.rows}


def unknown_facts(base: Report, new: Report) -> tuple[str, ...]:
    """Labels of the facts that decide comparability and that only one of the reports knows."""
    one_sided = base.facts.keys() ^ new.facts.keys()
    return tuple(sorted(fact(key).label for key in one_sided if fact(key).kind in ("machine", "under test")))


def same_metronome(base: Report, new: Report) -> bool:
    """Whether both reports timed the same reference blocks, so that adjusted times mean the same."""
    fingerprint = base.facts.get("metronome")
    return fingerprint is not None and len(fingerprint) == 1 and fingerprint == new.facts.get("metronome")


def same_reference(base: Report, new: Report, differ: Iterable[Difference]) -> bool:
    """Whether both were timed beside the same reference, and nothing changed that it must have felt as well.

    What a new driver makes faster it makes faster for the reference too, so that their ratio says nothing of it.
    """
    named = base.facts.get(REFERENCE)
    same = named is not None and len(named) == 1 and named == new.facts.get(REFERENCE)
    return same and not any(is_shared(d.key) for d in differ)


def check_allowed(allow: Iterable[str], reports: Iterable[Report]) -> None:
    """Refuse a ``--allow-diff`` that names no fact.  Raises BenchError with the nearest key."""
    known = {*FACTS, VERSION}.union(*(report.facts for report in reports))
    for pattern in allow:
        if not any(fnmatchcase(key, pattern) for key in known):
            raise BenchError(f"--allow-diff {pattern}: no such fact; {hint(pattern, sorted(known), 'the facts are')}")
