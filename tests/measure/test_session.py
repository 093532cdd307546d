from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
import torch

from bench.errors import BenchError
from bench.measure import lock, session
from bench.measure.messages import Open, Reply, Request
from bench.measure.runner import Options
from bench.store import read_manifest, read_records
from bench.testing import ScriptedLauncher, ScriptedWorker, Silent

SUITE = '''
"""Which is faster?"""

import torch

from bench import Subject, benchmark


@benchmark(variants={"one": 1, "two": 2, "three": 3}, cpu={"n": [4, 8]}, cuda="made for CPUs", phases=("forward",))
def sums(value, n):
    """Sums."""
    return Subject(torch.sum, torch.ones(n))
'''
SKIPPED = '''
"""Is it faster on a GPU?"""

from bench import Subject, benchmark


@benchmark(variants={"off": 0, "on": 1}, cpu="needs a GPU", cuda={"n": [4]}, phases=("forward",))
def only_cuda(value, n):
    """Asked on a GPU."""
    return Subject(abs, n)
'''


@pytest.fixture
def suite(tmp_path: Path) -> str:
    folder = tmp_path / "mine"
    folder.mkdir()
    (folder / "sums.py").write_text(SUITE)
    (folder / "only_cuda.py").write_text(SKIPPED)
    return str(folder)


@pytest.fixture(autouse=True)
def _own_places(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Every session of a test gets a lock of its own and a folder of its own."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.chdir(tmp_path)


def options(**changed: object) -> Options:
    fields = {"device": "cpu", "tier": "standard", "processes": 1, "precision": 0.02, "budget_seconds": 60.0}
    return Options(**{**fields, "seed": 3, "limit_seconds": 1.0, **changed})


def measure(
    suite: str, folder: Path, keyword: str = "", launcher: ScriptedLauncher | None = None, **changed: object
) -> None:
    session.measure(
        [suite],
        options(**changed),
        folder=folder,
        launcher=launcher or ScriptedLauncher(),
        keyword=keyword,
        command=["bench", "run", suite],
        wait_seconds=0,
        progress=Silent(),
    )


def resume(folder: Path, **changed: object) -> None:
    session.resume(folder, options(**changed), launcher=ScriptedLauncher(), wait_seconds=0, progress=Silent())


# --- what is chosen --------------------------------------------------------------------------------------------------


def test_a_keyword_chooses_cases_and_brings_their_baseline(suite: str) -> None:
    _, cases = session.choose([suite], options(), "three and n=8")
    assert [case.id for case in cases] == ["mine/sums[n=8]/one@cpu", "mine/sums[n=8]/three@cpu"]


def test_a_benchmark_that_does_not_apply_stays_in_view_without_cases(suite: str) -> None:
    found, cases = session.choose([suite], options(), "")
    assert [f.name for f in found] == ["mine/only_cuda", "mine/sums"]
    assert {case.benchmark for case in cases} == {"sums"}
    assert [f.name for f in session.choose([suite], options(), "sums")[0]] == ["mine/sums"]


def test_choosing_only_what_does_not_apply_says_why(suite: str) -> None:
    with pytest.raises(BenchError, match="nothing to measure on cpu: needs a GPU"):
        session.choose([f"{suite}/only_cuda.py"], options(), "")


def test_a_keyword_that_fits_nothing_points_to_the_list(suite: str) -> None:
    with pytest.raises(BenchError, match=r"-k 'four' matches none of the cases; `bench list`"):
        session.choose([suite], options(), "four")


# --- devices ---------------------------------------------------------------------------------------------------------


def devices(monkeypatch: pytest.MonkeyPatch, count: int) -> None:
    monkeypatch.setattr(torch.cuda, "is_available", lambda: count > 0)
    monkeypatch.setattr(torch.cuda, "device_count", lambda: count)


@pytest.mark.parametrize(
    ("name", "count", "resolved"),
    [
        ("cpu", 2, "cpu"),
        ("auto", 0, "cpu"),
        ("auto", 2, "cuda:0"),
        ("cuda", 2, "cuda:0"),
        ("cuda:1", 2, "cuda:1"),
    ],
)
def test_a_device_is_resolved_to_its_index(
    monkeypatch: pytest.MonkeyPatch, name: str, count: int, resolved: str
) -> None:
    devices(monkeypatch, count)
    assert session.resolve_device(name) == resolved


@pytest.mark.parametrize(
    ("name", "count", "message"),
    [
        ("gpu", 2, "--device 'gpu': use auto, cpu, cuda or cuda:N"),
        ("cuda:x", 2, "--device 'cuda:x': use"),
        ("auto:1", 2, "--device 'auto:1': use"),
        ("cuda", 0, "no CUDA device here; `bench doctor`"),
        ("cuda:2", 2, "this machine has cuda:0 to cuda:1"),
    ],
)
def test_a_device_that_is_not_there_is_told_with_those_that_are(
    monkeypatch: pytest.MonkeyPatch, name: str, count: int, message: str
) -> None:
    devices(monkeypatch, count)
    with pytest.raises(BenchError, match=message):
        session.resolve_device(name)


# --- folders ---------------------------------------------------------------------------------------------------------


def test_a_run_lands_in_a_folder_of_its_own_named_by_time_device_and_torch(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(session, "version", lambda _: "2.13.0+cpu")
    first = session.new_folder(options(device="cuda:1"), "")
    assert first.parent == Path("reports/local")
    assert first.name.endswith("Z-cuda-torch2.13.0")
    for _ in range(3):
        session.new_folder(options(device="cuda:1"), "").mkdir(parents=True)
    assert len(list(first.parent.iterdir())) == 3


def test_a_folder_that_holds_a_report_is_not_measured_into_again(tmp_path: Path) -> None:
    (tmp_path / "records.jsonl").touch()
    with pytest.raises(BenchError, match=f"already holds a report; .*--resume {tmp_path}"):
        session.new_folder(options(), str(tmp_path))
    assert session.new_folder(options(), str(tmp_path / "new")) == tmp_path / "new"


@pytest.mark.parametrize("place", ["a", "b", "confirm/b", "run-01", "run-02+0.05"])
def test_a_folder_that_holds_reports_of_ab_or_of_a_calibration_is_not_used_again(tmp_path: Path, place: str) -> None:
    (tmp_path / "other").mkdir()
    assert session.unused(tmp_path) == tmp_path
    (tmp_path / place).mkdir(parents=True)
    (tmp_path / place / "records.jsonl").touch()
    with pytest.raises(BenchError) as told:
        session.new_folder(options(), str(tmp_path))
    assert str(told.value) == f"{tmp_path} already holds the report {tmp_path / place}; name another --output"


# --- measuring -------------------------------------------------------------------------------------------------------


def test_a_run_leaves_a_manifest_that_tells_all_that_was_asked(suite: str, tmp_path: Path) -> None:
    measure(suite, tmp_path / "out")
    told = read_manifest(tmp_path / "out")
    assert (told.run, told.command, told.paths) == ("out", ("bench", "run", suite), (suite,))
    assert (told.device, told.tier, told.seed, told.precision, told.budget) == ("cpu", "standard", 3, 0.02, 60.0)
    assert [(d.benchmark, d.skip_reason) for d in told.declarations] == [("only_cuda", "needs a GPU"), ("sums", "")]
    assert len(told.cases) == 6
    assert told.started <= told.finished


def test_workers_end_and_the_lock_is_free_however_a_run_ends(suite: str, tmp_path: Path) -> None:
    def interrupted(name: str, what: str) -> float:
        if what == "forward":
            raise KeyboardInterrupt
        return 1e-3

    launcher = ScriptedLauncher()
    launcher.script = interrupted
    with pytest.raises(KeyboardInterrupt):
        measure(suite, tmp_path / "out", launcher=launcher)
    assert launcher.transcript[-1].startswith("drop worker")
    with lock.hold("cpu", 0, print):
        pass


def test_a_device_in_use_refuses_the_run_before_a_folder_is_made(suite: str, tmp_path: Path) -> None:
    with lock.hold("cpu", 0, print), pytest.raises(BenchError, match="cpu is being measured by process"):
        measure(suite, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_an_interrupted_run_is_finished_with_what_it_was_begun_with(
    suite: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    measure(suite, tmp_path / "out", "three", processes=1)
    seeds: list[int] = []
    real = ScriptedWorker.ask

    def ask(self: ScriptedWorker, request: Request, **limits: float) -> Reply:
        seeds.extend([request.seed] if isinstance(request, Open) else [])
        return real(self, request, **limits)

    monkeypatch.setattr(ScriptedWorker, "ask", ask)
    resume(tmp_path / "out", processes=3, seed=99, precision=0.5, tier="smoke")
    records, broken = read_records(tmp_path / "out")
    assert not broken
    assert {r.case.variant for r in records} == {"one", "three"}
    assert sorted({r.process for r in records}) == [0, 1, 2, 3]
    assert set(seeds) == {3}
    told = read_manifest(tmp_path / "out")
    assert (told.seed, told.precision, told.tier) == (3, 0.02, "standard")


def test_a_suite_that_changed_meanwhile_is_not_measured_into_the_same_folder(suite: str, tmp_path: Path) -> None:
    measure(suite, tmp_path / "out")
    (Path(suite) / "sums.py").write_text(SUITE.replace("torch.ones", "torch.zeros"))
    with pytest.raises(BenchError, match=r"mine/sums has changed since .*out was begun, or is gone: start a new run"):
        resume(tmp_path / "out")
    (Path(suite) / "sums.py").unlink()
    with pytest.raises(BenchError, match="mine/sums has changed"):
        resume(tmp_path / "out")


def test_a_comment_in_the_suite_is_no_change(suite: str, tmp_path: Path) -> None:
    measure(suite, tmp_path / "out")
    (Path(suite) / "sums.py").write_text(SUITE + "\n# said later\n")
    resume(tmp_path / "out", processes=2)


def test_a_folder_without_a_manifest_cannot_be_gone_on_with(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"manifest\.json: No such file"):
        resume(tmp_path)
