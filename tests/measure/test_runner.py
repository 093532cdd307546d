from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import pytest
from builders import manifest
from scripted_groups import found

from bench.analysis.stopping import MINIMUM
from bench.discover import Found
from bench.measure.crew import Side
from bench.measure.messages import Failure
from bench.measure.runner import Options, Run, Target, make_groups
from bench.model import Record
from bench.store import Store, read_environments, read_manifest, read_records
from bench.testing import Behaviour, ScriptedLauncher

FAILED = Failure(status="failed", reason="ValueError: no")


def options(**changed: object) -> Options:
    fields = {"device": "cpu", "tier": "smoke", "processes": 2, "precision": 0.01, "budget_seconds": 1e6}
    return Options(**{**fields, "seed": 0, "limit_seconds": 1.0, **changed})


class Heard:
    """A progress that keeps what it is told."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.left: list[float] = []

    def start(self, groups: Sequence[str], passes_expected: int) -> None:
        self.lines.append(f"start {len(groups)} groups, {passes_expected} passes")

    def expect(self, seconds_left: float) -> None:
        self.left.append(seconds_left)

    def process_done(self, pass_: int, group: str, seconds: float) -> None:
        self.lines.append(f"pass {pass_}: {group.partition('[')[0].removeprefix('odd/')}")

    def pass_done(self, pass_: int, precision_reached: Mapping[str, float]) -> None:
        self.lines.append(f"pass {pass_} done")

    def message(self, text: str) -> None:
        self.lines.append(text)

    def processes(self) -> list[str]:
        return [line for line in self.lines if ": " in line]


class Story:
    """One run, or several on end, of scripted workers into one folder."""

    def __init__(self, folder: Path, *asked: Found) -> None:
        self.folder, self.asked = folder, asked or (found("a", "b"),)
        self.launcher, self.heard = ScriptedLauncher(), Heard()

    def go(self, **changed: object) -> list[Record]:
        """Run, or go on with what the folder holds; all records that it then holds."""
        cases = [case for f in self.asked for case in f.benchmark.cases("odd", "cpu", "smoke")]
        store = Store(self.folder)
        earlier, _ = read_records(self.folder)
        target = Target(side=Side(launcher=self.launcher), store=store, manifest=manifest(cases, finished=""))
        store.write_manifest(target.manifest)
        chosen = options(**changed)
        groups = make_groups(self.asked, cases, chosen)
        try:
            Run(chosen, groups, {"": target}, progress=self.heard, earlier=earlier).go()
        finally:
            store.close()
        return self.records

    @property
    def records(self) -> list[Record]:
        return list(read_records(self.folder)[0])

    def numbers(self) -> dict[str, list[int]]:
        """``question.a`` -> the processes it was measured in."""
        found: dict[str, list[int]] = {}
        for record in self.records:
            found.setdefault(f"{record.case.benchmark}.{record.case.variant}", []).append(record.process)
        return found


@pytest.fixture
def story(tmp_path: Path) -> Callable[..., Story]:
    return lambda *asked: Story(tmp_path, *asked)


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """A clock that stands still until somebody adds to its only element."""
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    return now


THREE = tuple(found("a", "b", name=name) for name in ("one", "two", "three"))


def test_a_pass_is_one_process_of_every_group_and_begins_with_another_group_each_time(
    story: Callable[..., Story],
) -> None:
    told = story(*THREE)
    told.go(processes=3)
    passes = [[line for line in told.heard.processes() if line.startswith(f"pass {n}:")] for n in (1, 2, 3)]
    assert passes == [
        ["pass 1: two", "pass 1: three", "pass 1: one"],
        ["pass 2: three", "pass 2: one", "pass 2: two"],
        ["pass 3: one", "pass 3: two", "pass 3: three"],
    ]
    assert told.heard.lines[0] == "start 3 groups, 3 passes"
    assert told.heard.lines[-1] == "pass 3 done"
    assert len(told.heard.left) == 6  # in the first pass after every process, then after every pass
    assert min(told.heard.left) > 0


def test_so_many_processes_as_asked_for_are_measured_of_every_variant(story: Callable[..., Story]) -> None:
    told = story(*THREE)
    told.go(processes=4)
    assert set(map(tuple, told.numbers().values())) == {(0, 1, 2, 3, 4)}
    assert len(told.numbers()) == 6


def test_the_environment_is_described_then_facts_of_all_groups_are_gathered_then_passes_begin(
    story: Callable[..., Story],
) -> None:
    told = story(*THREE)
    told.go(processes=1)
    verbs = [line.split()[0] for line in told.launcher.lines("facts", "open")]
    assert verbs == ["facts"] * 6 + ["open"] * 6
    assert [record.process for record in told.records] == [0] * 6 + [1] * 6
    assert told.launcher.transcript[:3] == ["worker 1", "drop worker 1", "worker 2"]


def test_every_record_names_its_run_its_environment_and_the_version_of_its_benchmark(
    story: Callable[..., Story],
) -> None:
    told = story()
    told.go(processes=1)
    assert {r.run for r in told.records} == {"r1"}
    assert {r.version for r in told.records} == {"v1"}
    assert {r.environment for r in told.records} == set(read_environments(told.folder))


def test_equal_ratios_are_precise_at_the_first_look(story: Callable[..., Story]) -> None:
    told = story()
    told.go(processes=None)
    assert told.numbers()["question.a"] == list(range(MINIMUM + 1))
    left = read_manifest(told.folder)
    assert set(left.stops.values()) == {"precise"}
    assert left.reached.keys() == left.stops.keys()
    assert set(left.reached.values()) == {0.0}
    assert left.finished


def test_the_precision_reached_is_told_of_every_group_that_has_one(story: Callable[..., Story]) -> None:
    told, calls = story(), itertools.count(1)
    told.launcher.script = lambda name, what: 1e-3 * (1 + 0.01 * (next(calls) % 7))
    told.go(processes=1)
    assert read_manifest(told.folder).reached == {}
    told = story()
    told.launcher.script = lambda name, what: 1e-3 * (1 + 0.01 * (next(calls) % 7))
    told.go(processes=MINIMUM)
    (half,) = read_manifest(told.folder).reached.values()
    assert 0 < half < 0.1


@pytest.mark.parametrize(("budget", "rounds"), [(60.0, 24), (0.9, 18), (0.01, 10)])
def test_a_small_budget_is_spent_on_enough_processes_of_fewer_rounds(
    story: Callable[..., Story], budget: float, rounds: int
) -> None:
    told = story()  # a round takes two samples of 2 ms
    told.go(processes=None, budget_seconds=budget)
    (timed,) = {len(r.samples[0].seconds) for r in told.records if r.samples}
    assert timed == rounds


def test_a_number_of_processes_leaves_their_rounds_alone(story: Callable[..., Story]) -> None:
    told = story()
    told.go(processes=1, budget_seconds=0.01)
    assert {len(r.samples[0].seconds) for r in told.records if r.samples} == {24}


def test_a_budget_that_ends_in_the_middle_of_a_pass_ends_the_run_and_grants_every_group_a_first_process(
    story: Callable[..., Story], clock: list[float]
) -> None:
    told = story(*THREE)

    def slow(name: str, what: str) -> float:
        clock[0] += 10.0 if what.startswith("warm") else 0.0
        return 1e-3

    told.launcher.script = slow  # 20 s a process
    told.go(processes=None, budget_seconds=85.0)
    assert told.heard.processes() == ["pass 1: two", "pass 1: three", "pass 1: one", "pass 2: three"]
    assert set(read_manifest(told.folder).stops.values()) == {"budget"}
    assert read_manifest(told.folder).finished


@pytest.mark.parametrize(("budget", "later"), [(500.0, 24), (60.0, 6)])
def test_where_five_processes_would_not_fit_the_later_ones_have_fewer_rounds(
    story: Callable[..., Story], clock: list[float], budget: float, later: int
) -> None:
    told = story()

    def slow(name: str, what: str) -> float:
        clock[0] += 10.0 if what.startswith("warm") else 0.0
        return 1e-3

    told.launcher.script = slow  # 20 s a process
    told.go(processes=None, budget_seconds=budget)
    rounds = {r.process: len(r.samples[0].seconds) for r in told.records if r.samples}
    assert rounds[1] == 24
    assert {rounds[process] for process in rounds if process > 1} == {later}


def test_an_unsteady_group_gets_what_a_steady_one_leaves(story: Callable[..., Story], clock: list[float]) -> None:
    told = story(found("a", "b", name="steady"), found("calm", "wild", name="unsteady"))
    slows, slow = itertools.cycle((1.0, 3.0, 1.5, 2.0)), [1.0]

    def script(name: str, what: str) -> float:
        if what.startswith("warm"):
            clock[0] += 1.0  # two seconds a process
            slow[0] = next(slows)
        return 1e-3 * (slow[0] if name == "wild" else 1.0)

    told.launcher.script = script
    told.go(processes=None, budget_seconds=120.0)
    numbers = told.numbers()
    assert max(numbers["steady.a"]) == MINIMUM
    assert max(numbers["unsteady.wild"]) == 120 / 2 - MINIMUM - 1  # one more would end when the budget does
    assert list(read_manifest(told.folder).stops.values()) == ["precise", "unstable"]
    assert told.heard.left[-1] <= 3.0  # the display counted on it
    assert told.heard.left[MINIMUM + 2] > 60.0


def test_a_budget_smaller_than_one_pass_still_measures_everything_once(
    story: Callable[..., Story], clock: list[float]
) -> None:
    told = story(*THREE)

    def slow(name: str, what: str) -> float:
        clock[0] += 10.0
        return 1e-3

    told.launcher.script = slow
    told.go(processes=None, budget_seconds=1.0)
    assert set(map(tuple, told.numbers().values())) == {(0, 1)}


def test_ctrl_c_leaves_whole_processes_and_a_manifest_that_is_not_finished(story: Callable[..., Story]) -> None:
    told = story(*THREE)
    opened: list[str] = []

    def interrupted(name: str, what: str) -> float:
        opened.extend([name] * (what == "open"))
        if len(opened) == 9:  # in the second pass
            raise KeyboardInterrupt
        return 1e-3

    told.launcher.script = interrupted
    with pytest.raises(KeyboardInterrupt):
        told.go(processes=5)
    assert told.heard.processes()[3:] == ["pass 2: three"]
    assert {name: numbers[-1] for name, numbers in told.numbers().items()} == {
        **dict.fromkeys(("one.a", "one.b", "two.a", "two.b"), 1),
        **dict.fromkeys(("three.a", "three.b"), 2),
    }
    assert read_manifest(told.folder).finished == ""
    workers = [line.removeprefix("drop ") for line in told.launcher.lines("drop")]
    assert sorted(workers) == sorted(told.launcher.lines("worker"))


def test_a_run_that_goes_on_measures_what_is_missing_and_nothing_twice(story: Callable[..., Story]) -> None:
    told = story(*THREE)
    told.go(processes=2)
    before = told.records
    told.launcher = ScriptedLauncher(script=lambda name, what: 1e-5)
    told.go(processes=5)
    assert told.records[: len(before)] == before
    assert set(map(tuple, told.numbers().values())) == {(0, 1, 2, 3, 4, 5)}
    assert told.launcher.lines("facts") == []


def test_a_run_that_goes_on_keeps_the_loops_and_rounds_of_before(story: Callable[..., Story]) -> None:
    told = story()
    told.go(processes=1)
    told.launcher = ScriptedLauncher(script=lambda name, what: 1e-5)
    told.go(processes=2)
    shapes = {(r.samples[0].loops, len(r.samples[0].seconds)) for r in told.records if r.samples}
    assert len(shapes) == 1


def test_a_run_that_goes_on_does_not_try_again_what_failed(story: Callable[..., Story]) -> None:
    told = story(found("a", "b", "c"))
    told.launcher.script = lambda name, what: FAILED if name == "b" else 1e-3
    told.go(processes=1)
    told.launcher = ScriptedLauncher()
    told.go(processes=3)
    assert told.numbers() == {"question.a": [0, 1, 2, 3], "question.b": [0], "question.c": [0, 1, 2, 3]}


def test_a_run_that_goes_on_gathers_only_the_facts_that_are_missing(story: Callable[..., Story]) -> None:
    told = story(found("a", "b", "c"))

    def interrupted(name: str, what: str) -> Behaviour:
        if what == "warm forward":
            raise KeyboardInterrupt
        return 1e-3

    told.launcher.script = interrupted
    with pytest.raises(KeyboardInterrupt):
        told.go(processes=1)
    lines = (told.folder / "records.jsonl").read_text().splitlines(keepends=True)
    (told.folder / "records.jsonl").write_text("".join(lines[:2]) + lines[2][:40])  # kill -9 while writing
    told.launcher = ScriptedLauncher()
    told.go(processes=1)
    assert told.launcher.lines("facts") == ["facts c"]
    assert told.numbers() == {"question.a": [0, 1], "question.b": [0, 1], "question.c": [0, 1]}


@pytest.mark.parametrize("processes", [1, MINIMUM - 1, MINIMUM + 1])
def test_a_run_that_goes_on_without_time_ends(story: Callable[..., Story], processes: int) -> None:
    told = story()
    drift = iter(range(10_000))
    told.launcher.script = lambda name, what: 1e-3 + 1e-6 * next(drift) * (name == "b")
    told.go(processes=processes)
    told.go(processes=None, budget_seconds=0.0)
    assert told.numbers()["question.a"] == list(range(processes + 1))
    assert set(read_manifest(told.folder).stops.values()) == {"budget"}


def test_a_question_without_phases_is_answered_by_its_facts(story: Callable[..., Story]) -> None:
    told = story(found("a", "b", phases=()))
    told.go(processes=3)
    assert told.numbers() == {"question.a": [0], "question.b": [0]}
    assert told.heard.processes() == []


def test_a_group_whose_variants_all_fail_takes_no_other_with_it(story: Callable[..., Story]) -> None:
    told = story(*THREE)
    told.launcher.script = lambda name, what: FAILED if len(told.launcher.lines("open")) in (1, 2) else 1e-3
    told.go(processes=2)
    failed = {(r.case.benchmark, r.status, r.reason) for r in told.records if r.status != "ok"}
    assert failed == {("two", "failed", "ValueError: no")}
    assert told.numbers()["one.a"] == told.numbers()["three.b"] == [0, 1, 2]
