from __future__ import annotations

import datetime

from builders import record

from bench.analysis import accept, gate
from bench.analysis.determinism_gate import unaccepted
from bench.model import Check, Record

TODAY = datetime.date(2026, 6, 1)
ENTRY = """
[[accept]]
case = "{case}"
metric = "{metric}"
change = "worse"
owner = "ada"
reason = "atomics"
expires = {expires}
"""


def entries(case: str = "conv/*", metric: str = "repeats/*", expires: str = "2027-01-31") -> tuple[accept.Accept, ...]:
    return accept.parse(ENTRY.format(case=case, metric=metric, expires=expires))


def differing(knobs: str = "", what: str = "gradient", verdict: str = "differs") -> Record:
    return record(process=0, checks=(Check(what=what, level="quick", verdict=verdict, differing=1, knobs=knobs),))


def status(records: tuple[Record, ...]) -> int:
    return gate.run_status([], [], records, {"nondeterministic"})


def test_a_case_that_differs_fails_the_gate() -> None:
    assert status((differing(),)) == gate.WORSE
    assert status((differing(verdict="random"), differing(verdict="repeats"))) == gate.PASS


def test_a_cell_of_the_matrix_that_differs_fails_the_gate() -> None:
    assert status((differing("threads=1"),)) == gate.WORSE


def test_the_gate_is_shut_only_where_it_was_asked_for() -> None:
    assert gate.run_status([], [], (differing(),), {"failed"}) == gate.PASS


def test_what_somebody_answers_for_passes_and_is_said() -> None:
    left, told = unaccepted((differing(), differing()), entries(), TODAY)
    assert status(left) == gate.PASS
    assert told == ("bench-accept.toml, line 2 (ada, until 2027-01-31: atomics) accepts 2 of the checks that differ",)


def test_an_entry_accepts_what_it_names_and_nothing_else() -> None:
    for found in (entries(case="matmul/*"), entries(metric="repeats/quick/output"), entries(metric="time/*")):
        left, told = unaccepted((differing(),), found, TODAY)
        assert (status(left), told) == (gate.WORSE, ())
    left, _ = unaccepted((differing("threads=1"),), entries(metric="repeats/quick/gradient[threads=1]"), TODAY)
    assert status(left) == gate.PASS


def test_an_entry_that_expired_counts_for_nothing() -> None:
    left, told = unaccepted((differing(),), entries(expires="2026-05-31"), TODAY)
    assert (status(left), told) == (gate.WORSE, ())
