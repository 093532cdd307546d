"""An environment that is kept, beside which a run times each of its cases: the clock of runs that are compared later.

Whatever the machine does in the meantime it does to both, so that how many times as long as there a case takes can be
compared between runs apart as finely as between the sides of `ab`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from bench.analysis.environment_facts import fact, is_shared
from bench.analysis.measured import Ratios, process_log_ratios
from bench.model import Environment, Record, grouped
from bench.store import REFERENCE


def named(environment: Environment) -> str:
    """``PyTorch 2.12.1, Python 3.11.7 (1f3a90c2)``: all of it that decides its times and is not the machine's."""
    own = {
        key: value
        for key, value in environment.facts.items()
        if fact(key).kind in ("under test", "context") and not is_shared(key)
    }
    return f"PyTorch {own.get('torch')}, Python {own.get('python')} ({Environment(facts=own).key[:8]})"


def beside(environments: Mapping[str, Environment]) -> Mapping[str, Environment]:
    """The environments of the sides of a run; what is timed beside a reference says so."""
    if REFERENCE not in environments:
        return environments
    told = {REFERENCE: named(environments[REFERENCE])}
    return {s: e if s == REFERENCE else replace(e, facts={**e.facts, **told}) for s, e in environments.items()}


def ratios(records: Sequence[Record]) -> Ratios:
    """What a process of a group says of each ratio that is to be precise, those to the reference too."""
    by_side = grouped(records, lambda record: record.run.endswith(f"/{REFERENCE}"))
    return process_log_ratios(by_side[False], by_side[True])
