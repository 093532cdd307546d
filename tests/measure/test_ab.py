"""Two sides of the same cases: paired process by process and round by round."""

from __future__ import annotations

import contextlib
import math
import sys
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import builders
import pytest
from scripted_groups import group, measured

from bench.analysis.summary import summarise
from bench.errors import BenchError
from bench.interop.comparing import compare_paths
from bench.measure.ab import Arm, has_both_sides, judge_ab, paired_ratios, parse_arm, ratios_of_sides
from bench.model import Record
from bench.report.files import write_tables
from bench.store import Store
from bench.suite import Settings
from bench.testing import ScriptedLauncher

SPEEDS = {"a:plain": 1e-3, "b:plain": 1.1e-3, "a:new": 2e-3, "b:new": 2e-3}


def test_every_case_of_a_is_sampled_next_to_its_twin_in_b() -> None:
    launcher = ScriptedLauncher(script=lambda name, what: SPEEDS[name])
    measured(group("plain", "new", sides=("a", "b")), launcher)
    samples = [line for line in launcher.lines("measure") if "metronome" not in line]
    assert {"measure a:plain", "measure b:plain", "measure a:new", "measure b:new"} <= set(samples)


def test_the_ratio_is_b_over_a_for_each_variant_and_phase() -> None:
    launcher, of = ScriptedLauncher(script=lambda name, what: SPEEDS[name]), group("plain", "new", sides=("a", "b"))
    records = measured(of, launcher)
    sided = [replace(r, run=f"out/{name[0]}") for r, name in zip(records, of.members, strict=True)]
    ratios = ratios_of_sides(sided)
    assert ratios["plain", "forward"].log == pytest.approx(math.log(1.1))
    assert ratios["new", "forward"].log == pytest.approx(0)


def write(folder: Path, side: str, records: list[Record], **facts: str) -> None:
    """A side as `ab` leaves it: its records, what it set out to measure, its environment and its tables."""
    where = builders.environment(**facts)
    of = builders.manifest([builders.case("no_bias")], run=f"out/{side}")
    kept = [replace(record, run=of.run, environment=where.key) for record in records]
    with contextlib.closing(Store(folder / side)) as store:
        store.write_manifest(of)
        store.add_environment(where)
        for record in kept:
            store.append(record)
    write_tables(summarise(of, {where.key: where}, kept), folder / side)


def processes(seconds: float, numbers: Iterable[int] = range(1, 7), spread: float = 0.0) -> list[Record]:
    """Timed processes of one case, whose times wander together with their number."""
    return [
        builders.record("no_bias", [seconds * (1 + spread * (n % 3)) * (1 + 0.3 * n)] * 5, process=n) for n in numbers
    ]


def test_processes_are_paired_by_their_number_and_those_of_one_side_alone_are_left_out(tmp_path: Path) -> None:
    write(tmp_path, "a", processes(1e-3, (1, 2, 3)))
    write(tmp_path, "b", processes(1.1e-3, (2, 3, 4)))
    ratios = paired_ratios(tmp_path)
    case = builders.case("no_bias").id
    assert ratios == {(case, "time/forward"): [pytest.approx((math.log(1.1), 0.0))] * 2}


def test_first_calls_are_paired_where_both_sides_have_one(tmp_path: Path) -> None:
    for side, first_call in (("a", 2.0), ("b", 3.0)):
        (one, two) = processes(1e-3, (1, 2))
        called = replace(one, samples=tuple(replace(s, first_call=first_call) for s in one.samples))
        write(tmp_path, side, [called, two])
    ratios = paired_ratios(tmp_path)
    assert ratios[builders.case("no_bias").id, "first_call/forward"] == [pytest.approx((math.log(1.5), 0.0))]


def test_pairs_show_what_lies_far_below_the_spread_of_processes(tmp_path: Path) -> None:
    write(tmp_path, "a", processes(1e-3))
    write(tmp_path, "b", processes(1.05e-3, spread=0.001))
    (change,) = (c for c in judge_ab(tmp_path, floor=0.02).changes if c.metric == "time/forward")
    assert (change.state, change.ratio) == ("worse", pytest.approx(1.051, abs=1e-3))
    assert compare_paths([tmp_path / "a", tmp_path / "b"]).changes[0].state == "unresolved"


def test_whatever_differs_between_the_sides_is_what_was_asked_about(tmp_path: Path) -> None:
    write(tmp_path, "a", processes(1e-3), cpu="One CPU")
    write(tmp_path, "b", processes(1e-3, spread=0.001), cpu="Other CPU")
    arms = {"a": Arm(python="old"), "b": Arm(python="new", settings=Settings(threads=2, environment={"X": "1"}))}
    (pair,) = judge_ab(tmp_path, floor=0.02, arms=arms).pairs
    assert [(d.key, d.base, d.new, d.blocks) for d in pair.differences] == [
        ("cpu", "One CPU", "Other CPU", False),
        ("env.X", "as it is", "1", False),
        ("interpreter", "old", "new", False),
        ("setting.threads", "as it is", "2", False),
    ]
    assert {c.state for c in pair.changes} == {"same"}


def test_a_variable_that_a_side_had_anyway_is_told_as_it_had_it(tmp_path: Path) -> None:
    write(tmp_path, "a", processes(1e-3), **{"env.OMP_NUM_THREADS": "2"})
    write(tmp_path, "b", processes(1e-3, spread=0.001), **{"env.OMP_NUM_THREADS": "1"})
    arms = {"a": Arm(python="p"), "b": Arm(python="p", settings=Settings(environment={"OMP_NUM_THREADS": "1"}))}
    (pair,) = judge_ab(tmp_path, floor=0.02, arms=arms).pairs
    assert [(d.base, d.new) for d in pair.differences] == [("2", "1")]


def test_multiply_adds_that_one_side_cannot_count_are_no_loss(tmp_path: Path) -> None:
    facts = builders.record("no_bias", process=0, values={"work/macs(thop)": 7.0, "memory/parameters": 4.0})
    write(tmp_path, "a", [facts, *processes(1e-3)])
    write(tmp_path, "b", processes(1e-3, spread=0.001))
    states = {c.metric: c.state for c in judge_ab(tmp_path, floor=0.02).changes}
    assert states == {"time/forward": "same", "memory/parameters": "missing"}


def test_a_comparison_needs_something_of_both_sides(tmp_path: Path) -> None:
    assert not has_both_sides(tmp_path)
    write(tmp_path, "a", processes(1e-3))
    (tmp_path / "b").mkdir()
    (tmp_path / "b" / "records.jsonl").touch()
    assert not has_both_sides(tmp_path)
    write(tmp_path, "b", processes(1e-3))
    assert has_both_sides(tmp_path)


def test_settings_and_variables_of_an_arm_are_read_from_words() -> None:
    arm = parse_arm(sys.executable, ["cudnn.benchmark=true", "threads=2"], ["OMP_NUM_THREADS=1"], side="b")
    assert arm.settings == Settings(cudnn_benchmark=True, threads=2, environment={"OMP_NUM_THREADS": "1"})
    assert Path(arm.python).exists()


@pytest.mark.parametrize(
    ("settings", "environment", "sentence"),
    [
        (["cudnn.bench=true"], None, "--b-setting cudnn.bench: no such setting"),
        (["cudnn.benchmark=1"], None, "--b-setting cudnn.benchmark=1: write true or false"),
        (["threads=two"], None, "--b-setting threads=two: write a whole number"),
        (["threads"], None, "--b-setting 'threads': write NAME=VALUE"),
        (None, ["OMP"], "--b-env 'OMP': write NAME=VALUE"),
    ],
)
def test_a_mistake_in_an_arm_says_what_to_write(
    settings: list[str] | None, environment: list[str] | None, sentence: str
) -> None:
    with pytest.raises(BenchError) as told:
        parse_arm(sys.executable, settings, environment, side="b")
    assert str(told.value).startswith(sentence)


def test_a_python_that_is_not_there_is_named() -> None:
    with pytest.raises(BenchError, match="--a /no/such/python: no such Python"):
        parse_arm("/no/such/python", None, None, side="a")
