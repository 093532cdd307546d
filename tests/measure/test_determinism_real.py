"""Defects that only real processes have: what depends on the process, on its past, or on Python's hash seed."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from bench.discover import discover
from bench.measure.crew import Crew, Side
from bench.measure.determinism_matrix import Matrix
from bench.measure.determinism_processes import repeating, with_other_process
from bench.measure.group import Group, Member, gather_facts
from bench.measure.workers import Processes
from bench.model import Record

SUITE = '''
"""What do these results depend on?"""

import os
import sys

import torch

from bench import Subject, benchmark, identical


def on_the_process(x):
    """As a library that chooses its algorithm when it is loaded."""
    return x + os.getpid()


def on_the_past(x):
    """As with a switch that an earlier case has left turned."""
    return x + getattr(sys, "planted", 0)


def neighbour(x):
    sys.planted = 1
    return x


def on_hashes(x):
    """The order of a set of texts is the order of their hashes."""
    return torch.tensor([float(word[4:]) for word in {f"word{i}" for i in range(8)}])


def on_nothing(x):
    return x * 2


@benchmark(
    variants={
        "on_nothing": on_nothing,
        "on_the_past": on_the_past,
        "on_the_process": on_the_process,
        "on_hashes": on_hashes,
        "neighbour": neighbour,
    },
    cpu={},
    phases=(),
    claims=[identical("output")],
)
def depends(call):
    """Each on something else."""
    return Subject(call, torch.ones(3))
'''


@pytest.fixture(scope="module")
def records(tmp_path_factory: pytest.TempPathFactory) -> Iterator[list[Record]]:
    """The planted suite, checked as ``--determinism full`` does it."""
    folder = tmp_path_factory.mktemp("planted")
    (folder / "depends.py").write_text(SUITE)
    (found,) = discover([str(folder)])
    cases = found.benchmark.cases(found.suite, "cpu", "smoke")
    members = {case.variant: Member(case=case) for case in cases}
    group = Group(name=cases[0].group, found=found, members=members, seed=0, limit_seconds=60.0)
    launcher = Processes()
    try:
        crew = Crew({"": Side(launcher=launcher)}, "cpu", cheap=True)
        kept = gather_facts(group, members, crew, record, repeating("quick", folder))
        kept = with_other_process(group, kept, crew, "quick", folder)
        Matrix([group], "cpu", crew, make=lambda _: record, keep=kept.append).check(folder, lambda _: None)
        yield kept
    finally:
        launcher.close()


def record(member: Member, **measured: Any) -> Record:
    return Record(case=member.case, version="v1", knobs=member.knobs, **measured)


def verdicts(records: list[Record], variant: str) -> dict[tuple[str, str], str]:
    """(knobs, what) -> verdict."""
    mine = [record for record in records if record.case.variant == variant]
    return {(c.knobs, c.what): c.verdict for record in mine for c in record.checks if c.level != "numeric"}


def reasons(records: list[Record], variant: str) -> str:
    mine = [record for record in records if record.case.variant == variant]
    return "; ".join(c.reason for record in mine for c in record.checks if c.verdict == "differs")


def test_what_depends_on_nothing_repeats_everywhere(records: list[Record]) -> None:
    assert set(verdicts(records, "on_nothing").values()) == {"repeats"}


def test_an_algorithm_chosen_by_the_process_is_seen_by_another_process_only(records: list[Record]) -> None:
    found = verdicts(records, "on_the_process")
    assert found["", "output"] == "repeats"
    assert found["", "output/processes"] == "differs"
    assert "output/0[0] is " in reasons(records, "on_the_process")
    hashes = {r.values["bits/output"] for r in records if r.case.variant == "on_the_process" and r.values}
    assert hashes == {"differs"}


def test_dependence_on_a_case_that_ran_before_is_seen(records: list[Record]) -> None:
    found = verdicts(records, "on_the_past")
    assert found["", "output"] == "repeats"
    assert found["", "output/processes"] == "differs"


def test_dependence_on_the_hash_seed_is_seen_by_processes_with_other_seeds(records: list[Record]) -> None:
    found = verdicts(records, "on_hashes")
    assert found["", "output"] == found["", "output/processes"] == "repeats"
    seeds = [found[f"PYTHONHASHSEED={seed}", "output/processes"] for seed in ("1", "2")]
    assert "differs" in seeds
