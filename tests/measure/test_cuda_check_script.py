"""``scripts/gpu_check.sh`` with a scripted ``python``: which steps it takes, what it keeps, and how it ends."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "gpu_check.sh"
pytestmark = pytest.mark.skipif(shutil.which("timeout") is None, reason="coreutils' timeout is needed")

# Logs its arguments; fails where $FAIL names the step; a run leaves a report folder.
PYTHON = """#!/usr/bin/env bash
echo "$*" >>"$LOG"
case "$*" in
  "-c "*) exit "$NO_GPU" ;;
  *"$FAIL"*) echo "bench: it broke" >&2; exit 3 ;;
  *"bench run"*)
    folder=${@: -1}
    mkdir -p "$folder"
    for file in report.csv report.html environment.json; do echo "$file" >"$folder/$file"; done ;;
  *--json*) echo '{}' ;;
esac
echo "done"
"""


def check(folder: Path, *, fail: str = "nothing fails", no_gpu: int = 0) -> subprocess.CompletedProcess[str]:
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
    }
    return subprocess.run(["bash", str(SCRIPT)], env=environment, capture_output=True, text=True, check=False)


def test_all_steps_are_taken_in_order_and_eight_files_are_kept(tmp_path: Path) -> None:
    done = check(tmp_path)
    assert done.returncode == 0, done.stdout + done.stderr
    steps = [line.split()[:4] for line in (tmp_path / "log").read_text().splitlines()[1:]]
    assert [" ".join(step[:3]) for step in steps] == [
        "-m pytest -q",
        "-m bench doctor",
        f"scripts/gpu_method.py --json {tmp_path}/out/method.json",
        "-m bench run",
        "-m bench run",
        "-m bench compare",
        "scripts/gpu_method.py --spread " + steps[6][2],
    ]
    kept = {path.name for path in (tmp_path / "out").iterdir()}
    assert kept == {
        "doctor.json", "report.csv", "report.html", "environment.json", "again.csv", "log.txt", "table.txt",
    }  # fmt: skip  # and method.json, which the scripted step does not write
    assert done.stdout.splitlines()[-1].startswith("0 of 7 steps")


def test_a_step_that_fails_is_shown_the_others_go_on_and_the_end_is_a_failure(tmp_path: Path) -> None:
    done = check(tmp_path, fail="bench doctor")
    assert done.returncode == 1
    table = (tmp_path / "out" / "table.txt").read_text().splitlines()
    assert [line.split()[0] for line in table] == ["tests", "doctor", "method", "run", "again", "compare", "spread"]
    assert [line.split()[2] for line in table] == ["0", "3", "0", "0", "0", "0", "0"]
    assert "bench: it broke" in done.stdout


def test_without_a_gpu_nothing_is_run_and_the_reason_is_one_line(tmp_path: Path) -> None:
    done = check(tmp_path, no_gpu=1)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "bench doctor" in done.stderr
    assert len((tmp_path / "log").read_text().splitlines()) == 1
