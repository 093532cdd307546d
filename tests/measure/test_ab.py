"""Two sides of the same cases: paired process by process and round by round."""

from __future__ import annotations

import math
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from scripted_groups import group, measured

from bench.errors import BenchError
from bench.measure.ab import parse_arm, side_log_ratios
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
    ratios = side_log_ratios(sided)
    assert ratios["plain", "forward"] == pytest.approx(math.log(1.1))
    assert ratios["new", "forward"] == pytest.approx(0)


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
