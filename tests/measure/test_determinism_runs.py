"""Determinism checks within a whole run: they measure nothing, and change nothing that is measured."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest
from builders import manifest
from scripted_groups import found

import bench
from bench.analysis.summary import summarise
from bench.discover import Found
from bench.measure.crew import Side
from bench.measure.runner import Options, Run, Target, make_groups
from bench.model import Record
from bench.store import Store, read_records
from bench.testing import ScriptedLauncher, Silent


def go(folder: Path, level: str, *asked: Found, device: str = "cpu") -> tuple[ScriptedLauncher, Sequence[Record]]:
    """A run of scripted workers with two processes of every group."""
    options = Options(
        device=device,
        tier="smoke",
        processes=2,
        precision=0.01,
        budget_seconds=1e6,
        seed=0,
        limit_seconds=1.0,
        determinism=level,
    )
    cases = [case for f in asked for case in f.benchmark.cases("odd", options.kind, "smoke")]
    launcher, store = ScriptedLauncher(), Store(folder)
    target = Target(side=Side(launcher=launcher), store=store, manifest=manifest(cases, run="r1"))
    Run(options, make_groups(asked, cases, options), {"": target}, progress=Silent()).go()
    store.close()
    return launcher, read_records(folder)[0]


def timed(launcher: ScriptedLauncher) -> list[str]:
    """What workers were asked that time something."""
    return launcher.lines("open", "warm", "measure")


def workers(launcher: ScriptedLauncher) -> list[list[str]]:
    """What each worker was asked in turn."""
    lives: list[list[str]] = []
    for line in launcher.transcript:
        if line.startswith("worker"):
            lives.append([])
        elif not line.startswith(("drop", "end", "close")):
            lives[-1].append(line.split()[0])
    return lives


@pytest.mark.parametrize("device", ["cpu", "cuda:0"])
def test_a_quick_check_changes_nothing_that_is_timed(tmp_path: Path, device: str) -> None:
    asked = found("a", "b", cuda={"n": [1]}), found("c", "d", name="other", cuda={"n": [1]})
    without, _ = go(tmp_path / "off", "off", *asked, device=device)
    within, _ = go(tmp_path / "quick", "quick", *asked, device=device)
    assert timed(within) == timed(without)
    assert without.lines("probe") == []
    assert len(within.lines("probe")) == 10


@pytest.mark.parametrize("device", ["cpu", "cuda:0"])
def test_no_process_that_times_has_checked_anything(tmp_path: Path, device: str) -> None:
    launcher, _ = go(tmp_path, "full", found("a", "b", cuda={"n": [1]}), device=device)
    for life in workers(launcher):
        assert not {"probe", "facts"} & set(life) or not {"warm", "measure"} & set(life)


def test_the_matrix_comes_after_all_timing_of_the_run_and_stays_out_of_its_estimates(tmp_path: Path) -> None:
    quick, plain = go(tmp_path / "quick", "quick", found("a", "b"))
    full, records = go(tmp_path / "full", "full", found("a", "b"))
    assert timed(full)[: len(timed(quick))] == timed(quick)
    assert {record.knobs for record in records} > {"", "default", "threads=1", "PYTHONHASHSEED=1"}
    cases = list({record.case: None for record in plain})
    summaries = [summarise(manifest(cases, run="r1"), {}, of) for of in (plain, records)]
    estimates = [{(e.case, e.metric): e.process_values for e in s.estimates} for s in summaries]
    assert estimates[0] == estimates[1]
    assert summaries[0].turned == ()
    assert len(summaries[1].turned) == len(records) - len(plain)


UNREPEATED = '''
"""Does it repeat?"""

import os

import torch

from bench import Subject, benchmark


@benchmark(variants={"noise": 1}, cpu={}, phases=())
def noise(_):
    """It does not."""
    return Subject(lambda x: x + int.from_bytes(os.urandom(2), "big"), torch.ones(3))
'''
ACCEPTED = """
[[accept]]
case = "*noise*"
metric = "repeats/*"
change = "worse"
owner = "ada"
reason = "it draws from the machine"
expires = 2099-01-01
"""


@pytest.mark.slow
def test_a_run_fails_for_what_does_not_repeat_until_somebody_answers_for_it(tmp_path: Path) -> None:
    (tmp_path / "odd").mkdir()
    (tmp_path / "odd" / "noise.py").write_text(UNREPEATED)
    root = Path(bench.__file__).parent.parent
    command = [sys.executable, "-m", "bench", "run", "odd", "--fail-on", "nondeterministic", "-q", "--output"]

    def run(output: str) -> subprocess.CompletedProcess[str]:
        shell = {**os.environ, "PYTHONPATH": str(root), "TMPDIR": str(tmp_path)}
        return subprocess.run(
            [*command, output], cwd=tmp_path, env=shell, capture_output=True, text=True, timeout=120, check=False
        )

    first = run("first")
    assert first.returncode == 1, first.stderr
    assert "did not repeat bit for bit" in first.stdout
    (tmp_path / "bench-accept.toml").write_text(ACCEPTED)
    second = run("second")
    assert second.returncode == 0, second.stderr
    assert "it draws from the machine) accepts 2 of the checks that differ" in second.stderr
    (tmp_path / "bench-accept.toml").write_text("not toml")
    third = run("third")
    assert third.returncode == 2
    assert not (tmp_path / "third").exists()
