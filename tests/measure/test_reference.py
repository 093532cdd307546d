"""A run beside a reference: each case next to itself in an environment that is kept."""

from __future__ import annotations

import contextlib
import random
import tempfile
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from builders import environment

from bench.analysis.measured import process_log_ratios
from bench.analysis.summary import Summary, summarise
from bench.errors import BenchError
from bench.measure import session
from bench.measure.messages import Failure
from bench.measure.reference import beside, named
from bench.measure.runner import Options
from bench.measure.workers import find_python
from bench.model import Check, Environment, Record
from bench.store import REFERENCE, read_environments, read_manifest, read_records, read_reference
from bench.testing import Behaviour, ScriptedLauncher, Silent

SUITE = '''
"""Is a sum a sum?"""

from bench import Subject, benchmark


@benchmark(variants={"plus": 1, "minus": -1}, cpu={"n": [4]}, phases=("forward",))
def sums(sign, n):
    """Because."""
    return Subject(abs, sign * n)
'''
FAILED = Failure(status="failed", reason="RuntimeError: no such operator")


class Runs:
    """Runs of a small suite with scripted workers of both environments; ``seconds`` by name, as ``reference:plus``."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.folder, self.suite = folder / "out", folder / "mine"
        self.suite.mkdir()
        (self.suite / "sums.py").write_text(SUITE)
        self.seconds: dict[str, Behaviour] = {}
        self._noise = random.Random(5)
        kept = (Check(what="output", level="quick", verdict="repeats"),)
        self.launcher = ScriptedLauncher(script=self._script, checks={"plus": kept, "minus": kept})
        self.theirs = ScriptedLauncher(script=self._script)
        patch.setattr(session, "prepared", self._prepared)
        patch.setattr(session, "find_python", lambda python, option: python)

    @contextlib.contextmanager
    def _prepared(self, python: str) -> Iterator[ScriptedLauncher]:
        assert python == "/opt/kept/bin/python"
        yield self.theirs

    def _script(self, name: str, what: str) -> Behaviour:
        seconds = self.seconds.get(name, 1e-3)
        return seconds * self._noise.uniform(0.999, 1.001) if isinstance(seconds, float) else seconds

    def options(self, **changed: object) -> Options:
        fields = {"device": "cpu", "tier": "smoke", "processes": 5, "precision": 0.01, "budget_seconds": 1e6}
        return Options(**{**fields, "seed": 0, "limit_seconds": 1.0, "determinism": "quick", **changed})

    def go(self, **changed: object) -> None:
        session.measure(
            [str(self.suite)],
            self.options(**changed),
            folder=self.folder,
            launcher=self.launcher,
            keyword="",
            command=("bench", "run"),
            wait_seconds=0.0,
            progress=Silent(),
            reference="/opt/kept/bin/python",
        )

    def resume(self, **changed: object) -> None:
        asked = self.options(**changed)
        session.resume(self.folder, asked, launcher=self.launcher, wait_seconds=0.0, progress=Silent())

    @property
    def summary(self) -> Summary:
        records, _ = read_records(self.folder)
        of = read_manifest(self.folder), read_environments(self.folder)
        return summarise(*of, records, read_reference(self.folder))

    def relative(self) -> dict[str, tuple[str, float | str | None]]:
        """Variant -> status and value of its time as a multiple of the reference's."""
        rows = [e for e in self.summary.estimates if e.metric == "relative/forward"]
        return {row.case.variant: (row.status, row.value) for row in rows}


@pytest.fixture
def runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Runs:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    return Runs(tmp_path, monkeypatch)


def test_each_case_is_sampled_next_to_itself_in_the_reference(runs: Runs) -> None:
    runs.theirs.transcript = runs.launcher.transcript
    runs.go(processes=1)
    rounds = runs.launcher.rounds()
    assert rounds[:2] == [
        "reference:plus minus reference:minus plus",
        "minus reference:minus plus reference:plus",
    ]
    assert {" ".join(sorted(round_.split())) for round_ in rounds} == {"minus plus reference:minus reference:plus"}


def test_a_case_that_takes_a_tenth_longer_than_in_the_reference_is_told_so(runs: Runs) -> None:
    runs.seconds = {"plus": 1.1e-3, "reference:plus": 1e-3, "minus": 4e-3, "reference:minus": 5e-3}
    runs.go()
    found = runs.relative()
    assert found["plus"] == ("ok", pytest.approx(1.1, rel=2e-3))
    assert found["minus"] == ("ok", pytest.approx(0.8, rel=2e-3))
    (row,) = [e for e in runs.summary.estimates if e.metric == "relative/forward" and e.case.variant == "plus"]
    assert len(row.process_values) == len(row.process_variances) == 5
    assert all(variance > 0 for variance in row.process_variances)


def test_only_times_are_asked_of_the_reference(runs: Runs) -> None:
    runs.go(processes=1)
    assert runs.launcher.lines("facts", "probe")
    assert not runs.theirs.lines("facts", "probe")
    assert {record.process for record in read_reference(runs.folder)} == {1}


def test_what_was_timed_beside_a_reference_says_beside_which(runs: Runs) -> None:
    runs.go(processes=1)
    (where,) = read_environments(runs.folder).values()
    assert str(where.facts[REFERENCE]).startswith("PyTorch scripted, Python scripted (")
    assert {record.environment for record in read_records(runs.folder)[0]} == {where.key}
    (theirs,) = read_environments(runs.folder / REFERENCE).values()
    assert REFERENCE not in theirs.facts


def test_a_case_that_the_reference_cannot_run_is_measured_all_the_same(runs: Runs) -> None:
    runs.seconds = {"reference:minus": FAILED}
    runs.go()
    assert {name: status for name, (status, _) in runs.relative().items()} == {"plus": "ok"}
    facts = {e.case.variant: (e.status, e.facts) for e in runs.summary.estimates if e.metric == "time/forward"}
    told = "not relative to the reference: it ended as failed: RuntimeError: no such operator"
    assert {name: (status, told in said) for name, (status, said) in facts.items()} == {
        "plus": ("ok", False),
        "minus": ("ok", True),
    }


def test_a_run_goes_on_beside_its_reference(runs: Runs) -> None:
    runs.go(processes=2)
    runs.resume(processes=5)
    assert {name: status for name, (status, _) in runs.relative().items()} == {"plus": "ok", "minus": "ok"}
    for records in (read_records(runs.folder)[0], read_reference(runs.folder)):
        assert sorted(r.process for r in records if r.case.variant == "plus" and r.process) == [1, 2, 3, 4, 5]


def test_a_reference_that_is_gone_is_named_when_a_run_is_to_go_on(runs: Runs, monkeypatch: pytest.MonkeyPatch) -> None:
    runs.go(processes=2)
    monkeypatch.setattr(session, "find_python", find_python)
    with pytest.raises(BenchError, match="--reference /opt/kept/bin/python: no such Python"):
        runs.resume()


def test_a_run_ends_when_its_ratios_to_the_reference_are_precise_too(runs: Runs) -> None:
    runs.go(processes=None, budget_seconds=1e6)
    (group,) = read_manifest(runs.folder).stops
    assert read_manifest(runs.folder).stops[group] == "precise"
    records, kept = read_records(runs.folder)[0], read_reference(runs.folder)
    one = [[r for r in of if r.process == 1] for of in (records, kept)]
    assert set(process_log_ratios(*one)) == {
        ("minus", "forward"),
        ("plus", "forward beside the reference"),
        ("minus", "forward beside the reference"),
    }


def test_where_there_is_a_reference_a_single_variant_needs_no_precise_time_of_its_own(runs: Runs) -> None:
    runs.go(processes=1)
    records, kept = ([r for r in of if r.process and r.case.variant == "plus"] for of in _both(runs.folder))
    assert set(process_log_ratios(records)) == {("plus", "forward alone")}
    assert set(process_log_ratios(records, kept)) == {("plus", "forward beside the reference")}


def _both(folder: Path) -> tuple[tuple[Record, ...], tuple[Record, ...]]:
    return read_records(folder)[0], read_reference(folder)


def test_the_name_of_a_reference_is_of_what_decides_its_times_and_not_of_the_machine() -> None:
    kept = environment(python="3.11.7", threads=2, kernel="6.1", driver="570", host="a")
    same = replace(kept, facts={**kept.facts, "kernel": "6.8", "driver": "580", "host": "b", "cpu": "Other CPU"})
    assert named(kept).startswith("PyTorch 2.13.0, Python 3.11.7 (")
    assert named(same) == named(kept)
    for other in ({"torch": "2.14.0"}, {"threads": 1}, {"env.OMP_NUM_THREADS": "1"}):
        assert named(Environment(facts={**kept.facts, **other})) != named(kept)
    sides = {"": same, REFERENCE: kept}
    assert beside(sides) == {"": Environment(facts={**same.facts, REFERENCE: named(kept)}), REFERENCE: kept}
    assert beside({"a": kept, "b": same}) == {"a": kept, "b": same}
