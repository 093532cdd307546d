"""The command line as its users meet it: what it says, where, and with which status it ends."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import tempfile
import textwrap
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from bench.errors import BenchError
from bench.store import read_manifest, read_records

ROOT = Path(__file__).parent.parent
FILES = {
    "records.jsonl", "manifest.json", "environment.json", "report.csv", "verdicts.csv", "reproducibility.csv",
    "report.md", "report.html", "plots",
}  # fmt: skip

# What the fixture ``end`` gives.
Ended = Callable[..., tuple[int, str, str]]

SUM = '''
    """Is a sum of two tensors a sum?"""
    import torch
    from bench import Subject, benchmark, close, lower

    @benchmark(variants={"plus": torch.add, "minus": torch.sub}, cpu={"n": [64]}, phases=["inference"],
               claims=[close("output", note="wrong"), lower("memory/parameters", note="wrong too")])
    def sums(call, n):
        """Because."""
        return Subject(call, torch.randn(n), torch.randn(n))
'''
BROKEN = '''
    """What becomes of a case that breaks?"""
    import os, signal, time
    import torch
    from bench import Subject, benchmark

    def fine(x): return x + 1
    def raises(x): raise ValueError("no good")
    def dies(x): os.kill(os.getpid(), signal.SIGSEGV)
    def hangs(x): time.sleep(60)
    def eats(x): return torch.empty(1 << 50)

    @benchmark(variants={f.__name__: f for f in (fine, raises, dies, hangs, eats)}, cpu={}, phases=["inference"])
    def broken(call):
        """Because."""
        return Subject(call, torch.randn(8))

    @benchmark(variants={"alone": fine}, cpu={}, phases=["inference"], bytes_needed=lambda call: 1 << 50)
    def huge(call):
        """Because."""
        raise AssertionError("built, although it cannot fit")
'''


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder to work in, with a suite of one small benchmark, and the lock of a device of its own."""
    suite = tmp_path / "mine"
    suite.mkdir()
    (suite / "sums.py").write_text(textwrap.dedent(SUM), encoding="utf-8")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("PYTHONPATH", str(ROOT))
    return tmp_path


def bench(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-m", "bench", *arguments], capture_output=True, text=True, check=False)


HELP = """
import sys
import bench.cli
sys.argv = ["bench", *sys.argv[1:]]
try:
    bench.cli.main()
except SystemExit as ended:
    assert not ended.code
heavy = {"torch", "pandas", "numpy", "scipy", "matplotlib"} & sys.modules.keys()
print(sorted(heavy), file=sys.stderr)
"""


@pytest.mark.parametrize("command", [[], ["run"], ["list"], ["report"]])
def test_help_imports_nothing_heavy(command: list[str], folder: Path) -> None:
    helped = subprocess.run(
        [sys.executable, "-c", HELP, *command, "--help"], capture_output=True, text=True, check=True
    )
    assert "Usage: bench" in helped.stdout
    assert helped.stderr.strip() == "[]"


@pytest.mark.parametrize(
    ("arguments", "sentence"),
    [
        (["rnu"], "bench: No such command 'rnu'. Did you mean 'run'?"),
        (["run", "--tire", "smoke", "mine"], "bench: No such option: --tire"),
        (["run"], "bench: name what to measure, as in `bench run suites/conv`, or --resume DIR"),
        (["run", "mien", "--device", "cpu"], "bench: no such suite: 'mien'; did you mean 'mine'?"),
        (["run", "mine", "--device", "gpu"], "bench: --device 'gpu': use auto, cpu, cuda or cuda:N"),
        (["run", "mine", "--tier", "smok"], "bench: --tier 'smok': use smoke, standard, large"),
        (
            ["run", "mine", "--determinism", "ful", "--processes", "1"],
            "bench: --determinism 'ful': use off, quick, full",
        ),
        (["run", "mine", "--fail-on", "refutd"], "bench: --fail-on 'refutd' is unknown; did you mean 'refuted'?"),
        (["run", "mine", "--precision", "5"], "bench: --precision='5' must be a share from 0 to below 1: write"),
        (["run", "mine", "--budget", "5x"], "bench: --budget '5x' is no duration: write 90s, 2m or 1h"),
        (["run", "mine", "--processes", "0"], "bench: --processes must be at least 1; a verdict needs 5"),
        (["run", "mine", "--device", "cpu", "-k", "zzz"], "bench: -k 'zzz' matches none of the cases"),
        (["run", "mine", "--device", "cpu", "-k", "a b"], "bench: -k 'a b' is no expression"),
        (["run", "mine", "--device", "cpu", "--output", "mine/sums.py/x"], "bench: cannot write mine/sums.py/x: Not a"),
        (
            ["run", "mine", "--reference", "/opt/kept/python"],
            "bench: --reference /opt/kept/python: no such Python; name",
        ),
        (
            ["run", "--resume", "report", "--reference", sys.executable],
            "bench: --reference: an interrupted run goes on beside the one it began with; leave it out",
        ),
        (["run", "--resume", "nowhere"], "bench: cannot read nowhere/manifest.json: No such file or directory"),
        (["report", "nowhere"], "bench: nowhere holds no records.jsonl: name the folder of a report"),
    ],
)
def test_a_mistake_is_one_sentence_and_status_two(
    arguments: list[str], sentence: str, folder: Path, end: Ended
) -> None:
    status, out, err = end(*arguments)
    assert (status, out) == (2, "")
    assert err.startswith(sentence)
    assert len(err.splitlines()) <= 2


def test_nothing_is_written_where_a_mistake_was_made(folder: Path, end: Ended) -> None:
    end("run", "mien", "--device", "cpu", "--output", "report")
    end("run", "mine", "--device", "cpu", "-k", "zzz", "--output", "report")
    assert not (folder / "report").exists()


def test_a_report_is_never_measured_over(folder: Path, end: Ended) -> None:
    (folder / "report").mkdir()
    (folder / "report" / "records.jsonl").touch()
    status, _, err = end("run", "mine", "--device", "cpu", "--output", "report")
    assert status == 2
    assert err == ("bench: report already holds a report; name another --output, or go on with --resume report\n")


def test_a_bug_of_ours_is_status_seven_and_asks_for_a_report(
    folder: Path, end: Ended, monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: Any) -> None:
        raise KeyError("oops")

    monkeypatch.setattr("bench.store.read_records", broken)
    status, _, err = end("report", "mine")
    assert status == 7
    assert err.startswith("bench: internal error, KeyError: 'oops'\n")
    status, _, err = end("--debug", "report", "mine")
    assert (status, err.splitlines()[0]) == (7, "Traceback (most recent call last):")


@pytest.mark.parametrize(
    ("error", "status"), [(KeyboardInterrupt(), 130), (BrokenPipeError(), 0), (BenchError("no"), 2), (ValueError(), 7)]
)
def test_every_way_to_end_has_its_status(
    error: BaseException,
    status: int,
    folder: Path,
    end: Ended,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def broken(*_: Any) -> None:
        raise error

    monkeypatch.setattr("bench.store.read_records", broken)
    monkeypatch.setattr(os, "dup2", lambda *_: None)  # standard output is the test's
    assert end("report", "mine")[0] == status


def test_list_shows_cases_and_claims_with_their_notes(folder: Path, end: Ended) -> None:
    status, out, _ = end("list", "mine", "--device", "cpu")
    assert status == 0
    assert out.splitlines() == [
        "mine/sums: Is a sum of two tensors a sum?",
        '  claim close("output")  [wrong]',
        '  claim lower("memory/parameters")  [wrong too]',
        "  mine/sums[n=64]/plus@cpu",
        "  mine/sums[n=64]/minus@cpu",
    ]


def test_list_as_json_is_json(folder: Path, end: Ended) -> None:
    _, out, _ = end("list", "mine", "--device", "cpu", "--json")
    (benchmark,) = json.loads(out)
    assert [case["case"] for case in benchmark["cases"]] == ["mine/sums[n=64]/plus@cpu", "mine/sums[n=64]/minus@cpu"]


@pytest.mark.skipif(os.name != "posix", reason="a shell's pipe")
def test_a_reader_that_leaves_early_is_no_error(folder: Path) -> None:
    command = f"{sys.executable} -m bench list --tier large --device cpu | head -1"
    listed = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, check=False)
    assert (listed.returncode, listed.stderr, len(listed.stdout.splitlines())) == (0, "", 1)


def test_a_run_writes_its_folder_and_prints_only_results(folder: Path) -> None:
    ran = bench("run", "mine", "--device", "cpu", "--processes", "2", "--output", "report")
    assert ran.returncode == 0, ran.stderr
    assert {path.name for path in (folder / "report").iterdir()} >= FILES
    assert list((folder / "report" / "plots").glob("*.svg"))
    assert "Is a sum of two tensors a sum?" in ran.stdout
    assert "pass 1" in ran.stderr
    assert "pass 2" not in ran.stdout
    manifest = read_manifest(folder / "report")
    assert manifest.finished
    assert len(manifest.cases) == 2

    again = bench("report", "report")
    assert again.returncode == 0
    assert again.stdout == ran.stdout

    for part in ("report.csv", "report.md", "verdicts.csv"):
        before = (folder / "report" / part).read_bytes()
        assert before.count(b"\n") > 1, part


def test_a_refuted_claim_fails_a_run_that_asks_for_it(folder: Path) -> None:
    ran = bench(
        "run", "mine", "--device", "cpu", "--processes", "1", "--fail-on", "refuted", "-q", "--output", "report"
    )
    assert ran.returncode == 1, ran.stderr
    assert ran.stderr == ""


def test_a_case_that_breaks_costs_only_itself(folder: Path) -> None:
    (folder / "mine" / "sums.py").write_text(textwrap.dedent(BROKEN), encoding="utf-8")
    ran = bench("run", "mine", "--device", "cpu", "--processes", "1", "--timeout", "3s", "--output", "report")
    assert ran.returncode == 5, ran.stderr
    records, _ = read_records(folder / "report")
    ends = {}
    for record in records:
        ends.setdefault(record.case.variant, []).append((record.process, record.status))
    assert ends["fine"] == [(0, "ok"), (1, "ok")]
    assert [status for _, status in ends["raises"]] == ["failed"]
    assert [status for _, status in ends["dies"]] == ["failed"]
    assert [status for _, status in ends["hangs"]] == ["timeout"]
    assert [status for _, status in ends["eats"]] == ["oom"]
    assert [status for _, status in ends["alone"]] == ["skipped"]
    reasons = {record.case.variant: record.reason for record in records if record.reason}
    assert "ValueError: no good" in reasons["raises"]
    assert "SIGSEGV" in reasons["dies"]
    assert reasons["alone"].startswith("needs 1048576.0 GiB, ")


@contextmanager
def measuring(folder: Path, *more: str) -> Iterator[subprocess.Popen[str]]:
    """A run that would go on for long, caught after its second process of every case."""
    arguments = ["run", "mine", "--device", "cpu", "--processes", "1000", "--output", "report", *more]
    records = folder / "report" / "records.jsonl"
    ours = signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's & has it ignored, and what that starts
    with subprocess.Popen(
        [sys.executable, "-m", "bench", *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as run:
        signal.signal(signal.SIGINT, ours)
        try:
            while not records.exists() or records.read_bytes().count(b"\n") < 6:
                assert run.poll() is None, run.communicate()
                time.sleep(0.05)
            yield run
        finally:
            run.kill()


def children(pid: int) -> set[int]:
    import psutil

    return {child.pid for child in psutil.Process(pid).children(recursive=True)}


def gone(pids: set[int]) -> bool:
    import psutil

    for _ in range(100):
        if not any(psutil.pid_exists(pid) and psutil.Process(pid).status() != "zombie" for pid in pids):
            return True
        time.sleep(0.1)
    return False


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
@pytest.mark.parametrize("sent", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_leaves_a_report_and_can_be_finished(folder: Path, sent: int) -> None:
    with measuring(folder) as run:
        run.send_signal(sent)
        out, err = run.communicate(timeout=60)
    assert run.returncode == 130, err
    assert "Is a sum of two tensors a sum?" in out
    assert {path.name for path in (folder / "report").iterdir()} >= FILES
    assert not read_manifest(folder / "report").finished


@pytest.mark.skipif(os.name != "posix", reason="signals as POSIX has them")
def test_a_killed_run_loses_nothing_it_had_and_can_be_finished(folder: Path) -> None:
    with measuring(folder) as run:
        helpers = children(run.pid)
        run.send_signal(signal.SIGKILL)
        run.communicate(timeout=60)
    assert helpers
    assert gone(helpers)
    kept, _ = read_records(folder / "report")
    assert len(kept) >= 6
    finished = bench("run", "--resume", "report", "--processes", "5", "-q")
    assert finished.returncode == 0, finished.stderr
    records, _ = read_records(folder / "report")
    assert records[: len(kept)] == kept
    processes = sorted(record.process for record in records if record.case.variant == "plus")
    assert processes == list(range(max(5, *processes) + 1))
    assert read_manifest(folder / "report").finished


@pytest.mark.parametrize("device", ["cpu", pytest.param("cuda", marks=pytest.mark.cuda)])
def test_two_runs_beside_one_reference_are_compared_by_it(folder: Path, device: str) -> None:
    for output in ("base", "new"):
        ran = bench(
            *("run", "mine", "--device", device, "--processes", "5", "--determinism", "off", "-q"),
            *("--reference", sys.executable, "--output", output),
        )
        assert ran.returncode == 0, ran.stderr
    compared = bench("compare", "base", "new", "--format", "json")
    assert compared.returncode in (0, 1, 6), compared.stderr  # on a busy machine times may differ, or be no good
    (pair,) = json.loads(compared.stdout)["pairs"]
    times = [change for change in pair["changes"] if change["metric"] == "time/inference"]
    assert len(times) == 2
    assert all(change["relative"] or change["state"] in ("invalid", "unresolved") for change in times)
    assert not pair["differences"]
    assert (folder / "new" / "reference" / "records.jsonl").is_file()
    assert "| reference | `PyTorch " in (folder / "new" / "report.md").read_text()
    alone = bench(
        *("run", "mine", "--device", device, "--processes", "1", "-q", "--determinism", "off", "--output", "alone")
    )
    assert alone.returncode == 0, alone.stderr
    refused = bench("compare", "base", "alone", "--format", "json")
    assert refused.returncode == 4
    assert "another reference" in {change["reason"] for change in json.loads(refused.stdout)["pairs"][0]["changes"]}


def test_a_resumed_run_keeps_its_tier(folder: Path) -> None:
    assert bench("run", "mine", "--device", "cpu", "--tier", "smoke", "--output", "report", "-q").returncode == 0
    assert bench("run", "--resume", "report", "-q").returncode == 0
    records, _ = read_records(folder / "report")
    assert max(record.process for record in records) == 5  # those of the smoke tier, and no more


def test_a_device_is_measured_by_one_at_a_time(folder: Path) -> None:
    with measuring(folder) as run:
        second = bench("run", "mine", "--device", "cpu", "--output", "second")
        assert second.returncode == 2
        assert second.stderr.startswith(f"bench: cpu is being measured by process {run.pid} of ")
        assert not (folder / "second").exists()
