"""``scripts/gpu_check.sh`` with a scripted ``python``: which steps it takes, what it keeps, and how it ends."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "gpu_check.sh"
pytestmark = pytest.mark.skipif(shutil.which("timeout") is None, reason="coreutils' timeout is needed")

# Logs its arguments; fails where $FAIL names the step; a run leaves a report folder, and where $SLOW ends its arguments
# it is told to stop before that is whole.
PYTHON = """#!/usr/bin/env bash
echo "$*" >>"$LOG"
case "$*" in
  "-c "*) exit "$NO_GPU" ;;
  *"$FAIL"*) echo "bench: it broke" >&2; exit 3 ;;
  *"bench run"*)
    folder=${@: -1}
    mkdir -p "$folder"
    case "$*" in
      *"$SLOW") trap 'echo partial >"$folder/report.csv"; echo "stopped early"; exit 130' TERM; sleep 60 & wait ;;
    esac
    for file in report.csv report.html environment.json; do echo "$file" >"$folder/$file"; done ;;
  *"bench doctor --json"*) echo '[]'; exit 0 ;;
  *"bench doctor"*) printf '2 warnings\n]\n\n'; exit 0 ;;
  *--json*) echo '{}' >"$3" ;;
esac
echo "done"
"""


def check(
    folder: Path, *, fail: str = "nothing fails", no_gpu: int = 0, slow: str = "nothing is slow", seconds: int = 480
) -> subprocess.CompletedProcess[str]:
    python = folder / "python"
    python.write_text(PYTHON)
    python.chmod(0o755)
    environment = {
        **os.environ,
        "PYTHON": str(python),
        "OUT": str(folder / "out"),
        "LOG": str(folder / "log"),
        "FAIL": fail,
        "NO_GPU": str(no_gpu),
        "SLOW": slow,
        "SECONDS_IN_ALL": str(seconds),
    }
    return subprocess.run(["bash", str(SCRIPT)], env=environment, capture_output=True, text=True, check=False)


FILES = {
    "doctor.json", "method.json", "report.csv", "report.html", "environment.json", "again.csv", "log.txt", "table.txt",
}  # fmt: skip


def limits(done: subprocess.CompletedProcess[str]) -> list[int]:
    """Seconds that each step was given."""
    return [int(found) for found in re.findall(r"^== \w+, at most (-?\d+) s:", done.stdout, re.MULTILINE)]


def test_all_steps_are_taken_in_order_and_eight_files_are_kept(tmp_path: Path) -> None:
    done = check(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    steps = [line.split()[:4] for line in (tmp_path / "log").read_text().splitlines()[1:]]
    assert [" ".join(step[:3]) for step in steps] == [
        "-m pytest -q",
        "-m bench doctor",
        "-m bench doctor",
        "scripts/gpu_method.py --json " + steps[3][2],
        "-m bench run",
        "-m bench run",
        "-m bench compare",
        "scripts/gpu_method.py --spread " + steps[7][2],
    ]
    assert {path.name for path in (tmp_path / "out").iterdir()} == FILES
    assert done.stdout.splitlines()[-1].startswith("0 of 7 steps did not end with status 0, 0 of 8 files are missing")


def test_the_limits_of_all_steps_fit_into_eight_minutes_and_runs_check_no_bits(tmp_path: Path) -> None:
    done = check(tmp_path)
    assert len(limits(done)) == 7
    assert sum(limits(done)) <= 480
    runs = [line for line in (tmp_path / "log").read_text().splitlines() if "bench run" in line]
    asked = "suites/conv suites/copies suites/matmul --device cuda --tier standard --determinism off --budget 45s"
    assert all(asked in line for line in runs)


def test_near_the_end_steps_get_what_is_left_and_the_comparison_its_own(tmp_path: Path) -> None:
    done = check(tmp_path, seconds=65)
    assert done.returncode == 1
    *early, run, again, compare, spread = limits(done)
    assert all(0 < seconds <= 65 - 40 for seconds in early)
    assert max(run, again) <= 0
    assert (compare, spread) == (20, 10)
    rows = {line.split()[0]: line for line in (tmp_path / "out" / "table.txt").read_text().splitlines()}
    assert "status 124" in rows["run"]
    assert rows["run"].endswith("NOT STARTED: no time is left")
    assert len([line for line in (tmp_path / "log").read_text().splitlines() if "bench run" in line]) == 0
    assert done.stdout.splitlines()[-1].startswith("2 of 7 steps did not end with status 0, 4 of 8 files are missing")


def test_a_run_that_takes_too_long_is_told_to_stop_and_what_it_leaves_is_kept_and_counted(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out" / "report.html").write_text("of an earlier check")
    done = check(tmp_path, slow="run.report", seconds=83)
    assert done.returncode == 1
    table = (tmp_path / "out" / "table.txt").read_text().splitlines()
    assert "status 124" in table[3]
    assert "CUT OFF after" in table[3]
    assert table[3].endswith("s: stopped early")
    assert (tmp_path / "out" / "report.csv").read_text() == "partial\n"
    assert not (tmp_path / "out" / "report.html").exists()
    assert [line for line in table if line.startswith("MISSING")][:2] == [
        "MISSING    report.html",
        "MISSING    environment.json",
    ]


def test_the_last_words_of_a_step_are_words(tmp_path: Path) -> None:
    check(tmp_path)
    table = (tmp_path / "out" / "table.txt").read_text().splitlines()
    assert table[1].endswith("  2 warnings")
    assert (tmp_path / "out" / "doctor.json").read_text() == "[]\n"


def test_a_step_that_fails_is_shown_the_others_go_on_and_the_end_is_a_failure(tmp_path: Path) -> None:
    done = check(tmp_path, fail="bench doctor")
    assert done.returncode == 1
    table = (tmp_path / "out" / "table.txt").read_text().splitlines()
    steps, kept = table[:7], table[7:]
    assert [line.split()[0] for line in steps] == ["tests", "doctor", "method", "run", "again", "compare", "spread"]
    assert kept == ["MISSING    doctor.json"]
    assert [line.split()[2] for line in steps] == ["0", "3", "0", "0", "0", "0", "0"]
    assert "bench: it broke" in done.stdout


def test_without_a_gpu_nothing_is_run_and_the_reason_is_one_line(tmp_path: Path) -> None:
    done = check(tmp_path, no_gpu=1)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "bench doctor" in done.stderr
    assert len((tmp_path / "log").read_text().splitlines()) == 1
