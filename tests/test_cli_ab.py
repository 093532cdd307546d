"""``bench ab`` as its users meet it: every exit status, what it leaves behind, what it asks of its workers."""

from __future__ import annotations

import contextlib
import json
import math
import random
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

import pytest

from bench import cli
from bench.measure.messages import Failure, Probe, Reply, Request, Take
from bench.model import Record
from bench.store import read_manifest, read_records
from bench.suite import Settings
from bench.testing import Behaviour, ScriptedLauncher, ScriptedWorker

ROOT = Path(__file__).parent.parent
SUITE = '''
"""Is a sum of two tensors a sum?"""

import torch

from bench import Subject, benchmark


@benchmark(variants={"plus": torch.add, "minus": torch.sub}, cpu={"n": [64]}, phases=["inference"])
def sums(call, n):
    """Because."""
    return Subject(call, torch.randn(n), torch.randn(n))
'''
CASE, OTHER = "mine/sums[n=64]/plus@cpu", "mine/sums[n=64]/minus@cpu"
COMPARISONS = {f"comparison.{ending}" for ending in ("html", "md", "json", "csv", "xml")}
TABLES = {"records.jsonl", "manifest.json", "environment.json", "report.csv", "verdicts.csv", "reproducibility.csv"}

# What ``Workers.end`` gives: the status, standard output and standard error.
Ended = tuple[int, str, str]


class Workers:
    """The scripted workers of both sides, and ``bench ab`` with them.

    ``seconds``: of a call by side and variant, as in ``b:plus``; ``change`` may do something else instead.
    """

    def __init__(self, capsys: pytest.CaptureFixture[str], patch: pytest.MonkeyPatch) -> None:
        self._capsys, self._patch, self._noise = capsys, patch, random.Random(7)
        self.seconds: dict[str, float] = {}
        self.change: Callable[[str, str], Behaviour | None] = lambda name, what: None
        self.launchers = [ScriptedLauncher(script=self._script) for _ in "ab"]
        self.prepared: list[tuple[str, Mapping[str, str]]] = []

    @contextlib.contextmanager
    def prepare(self, python: str, environment: Mapping[str, str]) -> Iterator[ScriptedLauncher]:
        self.prepared.append((python, environment))
        yield self.launchers[(len(self.prepared) - 1) % 2]

    def _script(self, name: str, what: str) -> Behaviour:
        changed = self.change(name, what)
        return self.seconds.get(name, 1e-3) * self._noise.uniform(0.998, 1.002) if changed is None else changed

    def end(self, *arguments: str, output: str = "out") -> Ended:
        command = ["bench", "ab", "mine", "--device", "cpu", "--processes", "5", *arguments, "--output", output]
        self._patch.setattr(sys, "argv", command)
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = self._capsys.readouterr()
        return int(ended.value.code or 0), " ".join(out.split()), err


def use_folder(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A folder to work in, with a small suite and the lock of a device of its own."""
    (folder / "mine").mkdir()
    (folder / "mine" / "sums.py").write_text(SUITE, encoding="utf-8")
    monkeypatch.chdir(folder)
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", str(folder))


@pytest.fixture
def workers(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> Iterator[Workers]:
    use_folder(tmp_path, monkeypatch)
    terminate = signal.getsignal(signal.SIGTERM)
    scripted = Workers(capsys, monkeypatch)
    monkeypatch.setattr("bench.measure.ab.prepared", scripted.prepare)
    yield scripted
    signal.signal(signal.SIGTERM, terminate)


def requests(monkeypatch: pytest.MonkeyPatch) -> list[Request]:
    """Everything that workers will be asked."""
    asked: list[Request] = []
    real = ScriptedWorker.ask

    def ask(self: ScriptedWorker, request: Request, **limits: float) -> Reply:
        asked.append(request)
        return real(self, request, **limits)

    monkeypatch.setattr(ScriptedWorker, "ask", ask)
    return asked


def states(folder: str = "out") -> dict[tuple[str, str], str]:
    """(case, metric) -> state, as the comparison of a folder has it for programs."""
    (pair,) = json.loads(Path(folder, "comparison.json").read_text())["pairs"]
    return {(change["case"], change["metric"]): change["state"] for change in pair["changes"]}


# --- exit statuses ---------------------------------------------------------------------------------------------------


def test_two_sides_that_are_the_same_pass_and_leave_every_form_of_the_comparison(workers: Workers) -> None:
    status, out, _ = workers.end()
    assert status == 0, out
    assert {path.name for path in Path("out").iterdir()} == {"a", "b", *COMPARISONS}
    assert {path.name for path in Path("out/a").iterdir()} == {path.name for path in Path("out/b").iterdir()} == TABLES
    assert states()[CASE, "time/inference"] == "same"
    assert all(Path("out", name).stat().st_size for name in COMPARISONS)


def test_a_side_that_is_slower_is_status_one(workers: Workers) -> None:
    workers.seconds = {"b:plus": 1.1e-3}
    status, out, _ = workers.end()
    assert status == 1
    assert {case: state for (case, metric), state in states().items() if metric == "time/inference"} == {
        CASE: "worse",
        OTHER: "same",
    }
    assert "The gate fails: 2 worse (exit status 1)." in out  # the first call too
    assert json.loads(Path("out/comparison.json").read_text())["exit_status"] == 1


def test_a_change_that_somebody_answers_for_passes(workers: Workers) -> None:
    workers.seconds = {"b:plus": 1.1e-3}
    entry = 'case = "*"\nmetric = "*"\nchange = "+15%"\nowner = "ada"\nreason = "known"\nexpires = 2999-01-01\n'
    Path("bench-accept.toml").write_text(f"[[accept]]\n{entry}")
    status, out, _ = workers.end()
    assert status == 0
    assert "accepted: bench-accept.toml, line 1 (ada, until 2999-01-01: known)" in out


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["--b", "/no/such/python"], "--b /no/such/python: no such Python"),
        (["--b-setting", "cudnn.bench=true"], "--b-setting cudnn.bench: no such setting"),
        (["--a-env", "OMP"], "--a-env 'OMP': write NAME=VALUE"),
        (["--fail-on", "wrse"], "--fail-on 'wrse' is unknown; did you mean 'worse'?"),
        (["--determinism", "full"], "--determinism full: use off or quick; `bench run` turns the knobs"),
        (["--floor", "much"], "--floor='much' must be a share"),
    ],
)
def test_a_mistake_is_status_two_and_nothing_is_measured(arguments: list[str], sentence: str, workers: Workers) -> None:
    status, out, err = workers.end(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith(f"bench: {sentence}")
    assert not Path("out").exists()
    assert workers.prepared == []


def test_a_mistake_in_the_accept_file_is_found_before_anything_is_measured(workers: Workers) -> None:
    Path("bench-accept.toml").write_text("[[accept]]\ncase = 3\n")
    status, _, err = workers.end()
    assert (status, workers.prepared) == (2, [])
    assert "bench-accept.toml, line 1: case must be a text in quotes" in err


def test_a_folder_that_was_used_is_refused(workers: Workers) -> None:
    assert workers.end()[0] == 0
    kept = Path("out/a/records.jsonl").read_bytes()
    status, _, err = workers.end()
    assert (status, err) == (2, "bench: out already holds the report out/a; name another --output\n")
    assert Path("out/a/records.jsonl").read_bytes() == kept


def test_what_is_not_resolved_is_status_three_only_when_it_is_named(workers: Workers) -> None:
    workers.seconds = {"b:plus": 1.02e-3}  # at the floor, where no number of processes decides
    assert workers.end()[0] == 0
    assert states()[CASE, "time/inference"] == "unresolved"
    assert workers.end("--fail-on", "unresolved", output="named")[0] == 3


def test_a_case_that_breaks_on_one_side_is_status_five_and_the_others_are_compared(workers: Workers) -> None:
    workers.change = lambda name, _: Failure(status="failed", reason="ValueError: no") if name == "b:plus" else None
    status, out, _ = workers.end()
    assert status == 5
    assert "failed: ValueError: no" in out
    assert states()[CASE, "time/inference"] == "failed"
    assert states()[OTHER, "time/inference"] == "same"


def test_a_time_that_cannot_be_is_status_six(workers: Workers) -> None:
    workers.change = lambda name, what: math.nan if (name, what) == ("b:plus", "inference") else None
    assert workers.end()[0] == 6
    assert states()[CASE, "time/inference"] == "invalid"
    assert states()[OTHER, "time/inference"] == "same"


def test_an_interrupted_comparison_shows_what_is_there(workers: Workers) -> None:
    passes: list[str] = []

    def interrupted(name: str, what: str) -> None:
        passes.extend([name] * (what == "open"))
        if len(passes) > 4 * 5 - 1:  # the last of five processes has begun
            raise KeyboardInterrupt

    workers.change = interrupted
    status, out, err = workers.end()
    assert status == 130
    assert err.endswith("bench: interrupted\n")
    assert "the run ended early" in out
    assert {path.name for path in Path("out").iterdir()} == {"a", "b", *COMPARISONS}
    assert {path.name for path in Path("out/b").iterdir()} == TABLES
    assert read_manifest(Path("out/b")).finished == ""
    assert (CASE, "time/inference") in states()


def test_interrupted_before_anything_was_measured_nothing_is_shown(workers: Workers) -> None:
    def interrupted(*_: str) -> None:
        raise KeyboardInterrupt

    workers.change = interrupted
    status, out, err = workers.end()
    assert (status, out) == (130, "")
    assert err.endswith("bench: interrupted\n")
    assert not list(Path("out").glob("comparison.*"))


def test_a_job_that_is_cancelled_is_interrupted(workers: Workers) -> None:
    def cancelled(_: str, what: str) -> None:
        if what.startswith("warm"):
            signal.raise_signal(signal.SIGTERM)

    workers.change = cancelled
    assert workers.end()[0] == 130
    assert Path("out/comparison.html").exists()


# --- what is asked of the workers ------------------------------------------------------------------------------------


def test_variables_reach_the_workers_of_their_side_and_settings_are_taken_there(
    workers: Workers, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = requests(monkeypatch)
    status, out, _ = workers.end("--a-env", "OMP_NUM_THREADS=1", "--b-setting", "cudnn.benchmark=true")
    assert status == 0
    assert [environment for _, environment in workers.prepared] == [{"OMP_NUM_THREADS": "1"}, {}]
    a, b = (launcher.lines("worker") for launcher in workers.launchers)
    assert all(line.endswith(" OMP_NUM_THREADS=1") for line in a)
    assert not any("OMP_NUM_THREADS" in line for line in b)
    assert {repr(request.settings) for request in asked if isinstance(request, Take)} == {
        repr(Settings(environment={"OMP_NUM_THREADS": "1"})),
        repr(Settings(cudnn_benchmark=True)),
    }
    assert "$OMP_NUM_THREADS 1 -> as it is, setting.cudnn_benchmark as it is -> True" in out


def test_suspects_are_measured_again_and_count_only_when_they_repeat(workers: Workers) -> None:
    measured_again = Path("out/confirm")

    def once(name: str, _: str) -> Behaviour | None:
        slow = name == "b:plus" or (name == "b:minus" and not measured_again.exists())
        return workers._noise.uniform(1.098e-3, 1.102e-3) if slow else None

    workers.change = once
    assert workers.end("--confirm")[0] == 1
    assert {case: state for (case, metric), state in states().items() if metric == "time/inference"} == {
        CASE: "worse",
        OTHER: "unresolved",
    }
    assert [len(launcher.lines("probe")) for launcher in workers.launchers] == [5, 5]  # bits are exact the first time
    records, _ = read_records(measured_again / "b")
    assert sorted({record.process for record in records}) == [0, 1, 2, 3, 4, 5]


def test_a_suspect_that_breaks_when_it_is_measured_again_is_no_pass(workers: Workers) -> None:
    def breaks(name: str, _: str) -> Behaviour | None:
        again = name == "b:plus" and Path("out/confirm").exists()
        return Failure(status="failed", reason="ValueError: no") if again else None

    workers.seconds, workers.change = {"b:plus": 1.1e-3}, breaks
    assert workers.end("--confirm")[0] == 5
    assert states()[CASE, "time/inference"] == "failed"


def test_a_confirmation_that_is_interrupted_leaves_the_first_comparison(workers: Workers) -> None:
    def interrupted(*_: str) -> None:
        if Path("out/confirm").exists():
            raise KeyboardInterrupt

    workers.seconds, workers.change = {"b:plus": 1.1e-3}, interrupted
    assert workers.end("--confirm")[0] == 130
    assert states()[CASE, "time/inference"] == "unresolved"
    assert states()[OTHER, "time/inference"] == "same"


# --- bits ------------------------------------------------------------------------------------------------------------


def give_bits(workers: Workers, b: str) -> None:
    for launcher, bits in zip(workers.launchers, ("aa", b), strict=True):
        launcher.facts = {"plus": {"bits/output": bits * 32}}


def test_each_case_is_repeated_in_two_processes_of_its_own_side(workers: Workers) -> None:
    assert workers.end()[0] == 0
    for launcher, side in zip(workers.launchers, "ab", strict=True):
        assert sorted(launcher.lines("probe")) == [f"probe {side}:minus"] * 3 + [f"probe {side}:plus"] * 2
    assert workers.end("--determinism", "off", output="off")[0] == 0
    assert [len(launcher.lines("probe")) for launcher in workers.launchers] == [5, 5]


def test_a_side_is_compared_with_what_it_kept_itself(workers: Workers, monkeypatch: pytest.MonkeyPatch) -> None:
    asked = requests(monkeypatch)
    workers.end()
    probes = [request for request in asked if isinstance(request, Probe)]
    kept = {(probe.case.name, probe.keep) for probe in probes if probe.keep}
    assert kept == {(probe.case.name, probe.against) for probe in probes if probe.against}
    assert len({file for _, file in kept}) == 4


def test_same_bits_and_other_bits_are_said_beside_the_time(workers: Workers) -> None:
    give_bits(workers, "aa")
    assert workers.end()[0] == 0
    assert "same bits, same time" in Path("out/comparison.html").read_text()
    give_bits(workers, "bb")
    workers.seconds = {"b:plus": 1.1e-3}
    _, out, _ = workers.end("--b-env", "X=1", output="other")
    assert "other bits, other time" in out


def test_other_bits_are_worse_only_where_nothing_was_asked_to_differ(workers: Workers) -> None:
    give_bits(workers, "bb")
    assert workers.end()[0] == 1
    assert states()[CASE, "bits/output"] == "worse"
    assert workers.end("--b-setting", "mkldnn=false", output="asked")[0] == 0
    assert states("asked")[CASE, "bits/output"] == "unresolved"


# --- with workers that measure ---------------------------------------------------------------------------------------


def processes_with_valid_samples(records: Sequence[Record]) -> int:
    """Of the case: a busy machine may preempt every sample of a process."""
    return sum(any(not flags for s in r.samples for flags in s.flags) for r in records if r.case.id == CASE)


def test_real_workers_of_both_sides_are_paired_process_by_process(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_folder(tmp_path, monkeypatch)
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    ran = subprocess.run(
        [sys.executable, "-m", "bench", "ab", "mine", "--device", "cpu", "--processes", "5", "--output", "out"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert ran.returncode in (0, 1, 6), ran.stderr  # on a busy machine times may differ, or be no good
    (pair,) = json.loads(Path("out/comparison.json").read_text())["pairs"]
    (time,) = [c for c in pair["changes"] if (c["case"], c["metric"]) == (CASE, "time/inference")]
    assert time["bits"] == "same bits"
    assert states()[CASE, "bits/output"] == states()[CASE, "repeats/quick/output"] == "same"
    a, b = (read_records(Path("out", side))[0] for side in "ab")
    assert [(r.case, r.process) for r in a] == [(r.case, r.process) for r in b]
    assert {r.process for r in a} == set(range(6))
    counted = [time["base_processes"], time["new_processes"]]
    assert time["state"] == "invalid" or counted == [processes_with_valid_samples(side) for side in (a, b)]
    lengths = {tuple(len(s.seconds) for s in r.samples) for r in (*a, *b) if r.process}
    assert len(lengths) == 1
