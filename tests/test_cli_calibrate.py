"""``bench calibrate`` as its users meet it, and what later commands make of a calibration; the workers are scripted."""

from __future__ import annotations

import json
import random
import sys
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bench.interop import calibrations
from bench.measure.messages import Describe, Reply, Request
from bench.model import Environment
from bench.store import read_manifest
from bench.testing import ScriptedLauncher, ScriptedWorker

SUITE = '''
    """Which sum is faster?"""
    import torch
    from bench import Subject, benchmark

    @benchmark(variants={"plus": torch.add, "minus": torch.sub}, cpu={"n": [64]}, phases=["inference"])
    def sums(call, n):
        """Because."""
        return Subject(call, torch.randn(n), torch.randn(n))
'''
MACHINE = {"cpu": "Scripted CPU", "cpu_cores": 2, "os": "Linux"}
CALIBRATE = ("calibrate", "mine", "--device", "cpu", "--processes", "5")
RUN = ("run", "mine", "--device", "cpu", "--processes", "5", "--determinism", "off", "-q")
QUOTED = "false alarms of bench compare in 0 % [0 %, 84 %] of pairs; half of the cases show a change of"

# What the fixture ``end`` gives: status, standard output, standard error.
Ended = Callable[..., tuple[int, str, str]]


class Noise:
    """Times of a millisecond that differ by a few tenths of a percent, the same in every test."""

    def __init__(self) -> None:
        self.chance = random.Random(1)
        self.measured = 0
        self.interrupt_after = sys.maxsize

    def __call__(self, name: str, what: str) -> float:
        self.measured += what == "inference"
        if self.measured > self.interrupt_after:
            raise KeyboardInterrupt
        return 1e-3 * self.chance.uniform(0.998, 1.002)


@pytest.fixture
def noise() -> Noise:
    return Noise()


@pytest.fixture(autouse=True)
def _scripted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, noise: Noise) -> None:
    """A folder to work in with a suite of two cases; whoever measures there gets scripted workers on one machine."""
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "sums.py").write_text(SUITE.replace("\n    ", "\n"), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))

    @contextmanager
    def prepared(**_: object) -> Iterator[ScriptedLauncher]:
        yield ScriptedLauncher(script=noise)

    answer = ScriptedWorker.ask

    def ask(self: ScriptedWorker, request: Request, **limits: float) -> Reply:
        if isinstance(request, Describe):
            return Reply(environment=Environment(facts={"torch": "scripted", **MACHINE}))
        return answer(self, request, **limits)

    monkeypatch.setattr(ScriptedWorker, "ask", ask)
    for place in ("bench.measure.calibration", "bench.measure.workers"):
        monkeypatch.setattr(f"{place}.prepared", prepared)


@pytest.fixture
def end(end: Ended) -> Ended:
    """``end("calibrate", "mine")``: the status and what was said, lines joined."""

    def call(*arguments: str) -> tuple[int, str, str]:
        status, out, err = end(*arguments)
        return status, " ".join(out.split()), " ".join(err.split())

    return call


def runs(folder: str) -> list[str]:
    return sorted(path.name for path in Path(folder).glob("run-*"))


# --- what it leaves and says -----------------------------------------------------------------------------------------


def test_it_leaves_runs_a_calibration_and_a_picture_and_says_the_rates(end: Ended) -> None:
    status, out, err = end(*CALIBRATE, "--repeats", "3", "--output", "cal")
    assert status == 0
    assert {path.name for path in Path("cal").iterdir()} == {
        "run-01", "run-02", "run-03", "calibration.json", "calibration.svg", "calibration.png",
    }  # fmt: skip
    assert "mine/sums[n=64]/plus@cpu time/inference" in out
    assert "this gate on this machine: false alarms in 0 % of comparisons [0 %, 84 %], sees +" in out
    assert out.endswith("calibration: cal/calibration.json")
    assert "run 3 of 3" in err
    found = calibrations.read(Path("cal"))
    assert (found.runs, found.machine) == (3, MACHINE)
    assert found.measured == read_manifest(Path("cal/run-01")).started
    assert [case.case for case in found.cases] == ["mine/sums[n=64]/plus@cpu", "mine/sums[n=64]/minus@cpu"]


def test_what_is_planted_is_measured_and_found(end: Ended) -> None:
    status, out, _ = end(*CALIBRATE, "--repeats", "2", "--inject", "0.4%,20%", "--output", "cal")
    assert status == 0
    assert runs("cal") == ["run-01", "run-01+0.004", "run-01+0.2", "run-02", "run-02+0.004", "run-02+0.2"]
    assert "+20 % planted in every case: 100 %" in out
    assert "+0.4 % planted in every case: 0 %" in out
    found = calibrations.read(Path("cal"))
    assert [(i.share, i.found.share) for i in found.injected] == [(0.004, 0.0), (0.2, 1.0)]
    assert found.false_alarms.hits == 0  # the runs of the same code had nothing planted


# --- what it refuses, before it measures -----------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--inject", "5%,0%"], "bench: --inject 0%: runs without a slowdown are measured anyway; name larger ones"),
        (["--inject", "5%,2%,0.05"], "bench: --inject '5%,2%,0.05' names a slowdown twice: name each once"),
        (["--inject", "5%,5.0001%"], "bench: --inject '5%,5.0001%' names a slowdown twice"),
        (["--inject", "much"], "bench: --inject='much' must be a share from 0 to below 1"),
        (["--repeats", "1"], "bench: --repeats must be at least 2, and 3 to tell the smallest visible change"),
        (["--processes", "4"], "bench: --processes must be at least 5"),
    ],
)
def test_what_cannot_be_calibrated_from_is_refused_before_measuring(
    arguments: list[str], sentence: str, end: Ended, noise: Noise
) -> None:
    status, out, err = end(*CALIBRATE, *arguments, "--output", "cal")
    assert (status, out, noise.measured) == (2, "", 0)
    assert err.startswith(sentence)
    assert not Path("cal").exists()


@pytest.mark.parametrize("used", ["cal", "cal/run-07", "cal/a", "cal/confirm/b"])
def test_a_folder_that_holds_a_report_is_refused(used: str, end: Ended, noise: Noise) -> None:
    Path(used).mkdir(parents=True)
    (Path(used) / "records.jsonl").touch()
    status, _, err = end(*CALIBRATE, "--output", "cal")
    assert (status, noise.measured) == (2, 0)
    assert err.startswith("bench: cal already holds ")
    assert "name another --output" in err


# --- interrupted -----------------------------------------------------------------------------------------------------


def interrupt_in_run(number: int, noise: Noise, end: Ended) -> None:
    """Learn how many samples a run of the script takes, then interrupt in the middle of that run."""
    end(*CALIBRATE, "--repeats", "2", "--output", "before")
    noise.interrupt_after = noise.measured + round(noise.measured / 2 * (number - 0.5))


def test_an_interrupted_calibration_tells_what_the_whole_runs_tell(end: Ended, noise: Noise) -> None:
    interrupt_in_run(4, noise, end)
    status, out, err = end(*CALIBRATE, "--repeats", "9", "--output", "cal")
    assert status == 130
    assert err.endswith("bench: interrupted bench: calibrating from the whole ones among the runs in cal")
    assert out.endswith("3 runs of the same code calibration: cal/calibration.json")
    assert calibrations.read(Path("cal")).runs == 3
    assert runs("cal") == ["run-01", "run-02", "run-03", "run-04"]


def test_what_was_planted_until_then_counts_too(end: Ended, noise: Noise) -> None:
    interrupt_in_run(5, noise, end)  # after one without, two with, one without
    assert end(*CALIBRATE, "--repeats", "9", "--inject", "10%", "--output", "cal")[0] == 130
    (injected,) = calibrations.read(Path("cal")).injected
    assert (injected.share, injected.found.hits, injected.found.pairs) == (0.1, 8, 2 * 2 * 2)


def test_a_calibration_interrupted_too_early_says_where_its_runs_are(end: Ended, noise: Noise) -> None:
    interrupt_in_run(2, noise, end)
    status, out, err = end(*CALIBRATE, "--repeats", "9", "--output", "cal")
    assert (status, out) == (130, "")
    assert "bench: calibrating from the whole ones among the runs in cal" in err
    assert "bench: calibrating needs two runs of the same code or more, not 1" in err
    assert not Path("cal/calibration.json").exists()


# --- found again -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["cal", ""], ids=["named", "by default"])
def test_later_runs_and_comparisons_of_the_machine_quote_it(place: str, end: Ended) -> None:
    end(*CALIBRATE, "--repeats", "3", *(["--output", place] if place else []))
    written = Path(place) / "calibration.json" if place else next(Path("reports/local").glob("*/calibration.json"))
    day = calibrations.read(written).measured[:10]
    for name in ("before", "after"):
        status, out, _ = end(*RUN, "--output", name)
        assert status == 0
        assert f"On this machine, as calibrated on {day} with 3 runs: {QUOTED}" in out
    assert QUOTED in " ".join(Path("after/report.html").read_text().split())
    assert "false alarms of bench compare in 0 %" in Path("after/report.md").read_text()
    assert "calibrated" not in Path("after/report.csv").read_text()
    assert QUOTED in end("report", "after")[1]
    status, out, _ = end("compare", "before", "after")
    assert status == 0
    assert f"sees +{out.partition('sees +')[2].partition(';')[0]}; 3 runs of the same code ({written})" in out


def test_a_run_of_a_machine_that_nobody_calibrated_quotes_nothing(end: Ended, monkeypatch: pytest.MonkeyPatch) -> None:
    _, out, _ = end(*RUN, "--output", "first")
    assert "calibrated" not in out
    end(*CALIBRATE, "--repeats", "3", "--output", "cal")
    monkeypatch.setitem(MACHINE, "cpu", "Another CPU")
    _, out, _ = end(*RUN, "--output", "second")
    assert "calibrated" not in out + Path("second/report.md").read_text() + Path("second/report.html").read_text()
    assert "On this machine, as calibrated" in end("report", "first")[1]


def test_a_calibration_that_cannot_be_read_costs_no_report(end: Ended) -> None:
    end(*CALIBRATE, "--repeats", "2", "--output", "cal")
    spoil("cal", lambda data: data["cases"][0].update(floor="x"))
    status, out, err = end(*RUN, "--output", "report")
    assert (status, "calibrated" in out) == (0, False)
    assert 'cal/calibration.json: not a calibration of bench: cases[0].floor must be a number, not "x"' in err
    status, _, err = end("compare", "report", "report")
    assert status == 2
    assert "cases[0].floor must be a number" in err


def spoil(folder: str, change: Callable[[Any], object]) -> None:
    file = Path(folder) / "calibration.json"
    data = json.loads(file.read_text())
    change(data)
    file.write_text(json.dumps(data))
