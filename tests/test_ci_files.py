"""The files that other people's CI runs: they parse, their commands exist, and their shell ends as it should."""

from __future__ import annotations

import os
import re
import shlex
import stat
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from compared import row, times, write

from bench.cli import app

ROOT = Path(__file__).parent.parent
GITHUB = ROOT / ".github/workflows/nightly.yml"
GITLAB = ROOT / "docs/examples/gitlab-ci.yml"


def texts(node: Any) -> Iterator[str]:
    """Every text in a YAML document."""
    if isinstance(node, str):
        yield node
    elif isinstance(node, dict):
        for value in node.values():
            yield from texts(value)
    elif isinstance(node, list):
        for item in node:
            yield from texts(item)


def document(file: Path) -> Any:
    return yaml.safe_load(file.read_text(encoding="utf-8"))


def commands(file: Path) -> list[list[str]]:
    """The `bench` commands of a file, as words."""
    found = []
    for text in texts(document(file)):
        for line in text.split("\n"):
            words = re.sub(r"\s*\|\|.*|;.*", "", line).strip()
            if words.startswith("bench "):
                found.append(shlex.split(words))
    return found


@pytest.mark.parametrize("file", [GITHUB, GITLAB], ids=["github", "gitlab"])
def test_the_commands_and_options_exist(file: Path) -> None:
    root = typer.main.get_command(app)
    found = commands(file)
    assert {words[1] for words in found} == {"doctor", "run", "compare"}
    for _, name, *arguments in found:
        command = root.get_command(None, name)  # type: ignore[attr-defined,arg-type]
        assert command is not None
        with command.make_context(name, list(arguments)):
            pass


def test_the_workflow_keeps_its_report_whatever_happened_and_accepts_only_by_hand() -> None:
    workflow = document(GITHUB)
    steps = {step.get("name"): step for step in workflow["jobs"]["gpu"]["steps"]}
    assert steps["Keep the report"]["if"] == "always()"
    assert "inputs.accept" in steps["Accept the report"]["if"]
    assert "steps.measure.outcome == 'success'" in steps["Accept the report"]["if"]
    assert workflow["permissions"] == {"contents": "read"}
    assert workflow[True].keys() == {"schedule", "workflow_dispatch"}  # YAML 1.1 reads `on` as true


def test_the_gitlab_example_accepts_only_by_hand_and_only_what_was_measured_to_the_end() -> None:
    jobs = document(GITLAB)
    assert (jobs["accept"]["when"], jobs["accept"]["needs"]) == ("manual", ["measure"])
    assert jobs["compare"]["artifacts"]["reports"] == {"junit": "compare.xml"}
    assert jobs["measure"]["artifacts"]["when"] == "always"


def script(file: Path) -> str:
    """The shell that compares."""
    (found,) = (text for text in texts(document(file)) if "bench compare" in text and "status=0" in text)
    return found


@pytest.fixture
def runner(tmp_path: Path) -> dict[str, str]:
    """A machine with `bench` on its path and tonight's report."""
    (tmp_path / "bin").mkdir()
    shim = tmp_path / "bin/bench"
    shim.write_text(f'#!/bin/sh\nexec "{sys.executable}" -m bench "$@"\n')
    shim.chmod(shim.stat().st_mode | stat.S_IEXEC)
    (tmp_path / "tonight").mkdir()
    write(tmp_path / "tonight/report.csv", row(times(2.2e-3, seed=2)))
    return {
        **os.environ,
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "BENCH_REPORT": str(tmp_path / "tonight"),
        "BENCH_ACCEPTED": str(tmp_path / "accepted"),
        "GITHUB_STEP_SUMMARY": str(tmp_path / "step-summary.md"),
    }


@pytest.mark.parametrize("file", [GITHUB, GITLAB], ids=["github", "gitlab"])
@pytest.mark.parametrize(("accepted", "status"), [(None, 0), (2.2e-3, 0), (2e-3, 1)], ids=["none", "same", "faster"])
def test_the_job_ends_with_the_status_of_the_comparison(
    file: Path, accepted: float | None, status: int, runner: dict[str, str], tmp_path: Path
) -> None:
    if accepted is not None:
        (tmp_path / "accepted").mkdir()
        write(tmp_path / "accepted/report.csv", row(times(accepted, seed=1)))
    done = subprocess.run(
        ["bash", "-e", "-c", script(file)], env=runner, cwd=tmp_path, capture_output=True, check=False
    )
    assert done.returncode == status, done.stderr.decode()
    if accepted is not None:
        assert "The gate" in (tmp_path / "summary.md").read_text()
        assert "<testsuites" in (tmp_path / "compare.xml").read_text()
        assert file is GITLAB or "The gate" in (tmp_path / "step-summary.md").read_text()
