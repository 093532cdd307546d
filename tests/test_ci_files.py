"""The files that other people's CI runs: they parse, their commands exist, and their shell ends as it should."""

from __future__ import annotations

import os
import re
import shlex
import stat
import subprocess
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import typer
import yaml
from compared import row, times, write

from bench.analysis import gate
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
    assert jobs["compare"]["when"] == "always"  # a measuring that failed is news, too


@pytest.mark.parametrize("file", [GITHUB, GITLAB], ids=["github", "gitlab"])
def test_a_report_with_failed_or_invalid_cases_ends_measuring_with_a_status_that_forbids_to_accept_it(
    file: Path,
) -> None:
    (measure,) = (words for words in commands(file) if words[1] == "run")
    assert measure[measure.index("--fail-on") + 1] == "failed,invalid"
    assert gate.parse_fail_on("failed,invalid", gate.RUN_STATUSES) == {"failed", "invalid"}


@dataclass
class Runner:
    """A machine of a CI service: runs a job's shell as the service does, in an environment that it makes up."""

    folder: Path
    environment: dict[str, str]

    def run(self, *lines: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["bash", "-e", "-c", "\n".join(lines)],
            env=self.environment, cwd=self.folder, capture_output=True, text=True, check=False,
        )  # fmt: skip

    @property
    def accepted(self) -> Path:
        """The only place outside the working folder where anything may be kept."""
        (found,) = (self.folder / "home/bench-accepted").iterdir()
        return found


def executable(path: Path, text: str) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    path.chmod(path.stat().st_mode | stat.S_IEXEC)


@pytest.fixture
def runner(tmp_path: Path) -> Runner:
    """One whose `python3 -m venv` makes an environment with this `bench`, and a `pip` that installs nothing."""
    bench = f'#!/bin/sh\nexec "{sys.executable}" -m bench "$@"\n'
    executable(tmp_path / "bench", bench)
    executable(tmp_path / "pip", "#!/bin/sh\n")
    venv = f'#!/bin/sh\nmkdir -p .venv/bin && cp "{tmp_path}/bench" "{tmp_path}/pip" .venv/bin\n'
    executable(tmp_path / "bin/python3", venv)
    (tmp_path / "home").mkdir()
    environment = {
        **{name: value for name, value in os.environ.items() if not name.startswith(("BENCH_", "CI", "GIT"))},
        "PATH": f"{tmp_path / 'bin'}:{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "HOME": str(tmp_path / "home"),
        "GITHUB_REPOSITORY": "group/project",
        "CI_PROJECT_PATH_SLUG": "group-project",
        **{name: str(tmp_path / name) for name in ("GITHUB_ENV", "GITHUB_PATH", "GITHUB_STEP_SUMMARY")},
    }
    return Runner(tmp_path, environment)


def github(step: str, runner: Runner) -> subprocess.CompletedProcess[str]:
    """A step after the one that installs, with what that left in the files of the service."""
    job = document(GITHUB)["jobs"]["gpu"]
    steps = {found.get("name"): found.get("run") for found in job["steps"]}
    for file in ("GITHUB_ENV", "GITHUB_PATH"):
        Path(runner.environment[file]).write_text("")
    runner.environment |= {"TORCH": "torch", "BENCH_REPORT": job["env"]["BENCH_REPORT"]}
    assert runner.run(steps["Install"]).returncode == 0
    kept = Path(runner.environment["GITHUB_ENV"]).read_text().splitlines()
    path = Path(runner.environment["GITHUB_PATH"]).read_text().splitlines()
    runner.environment |= dict(line.split("=", 1) for line in kept)
    runner.environment["PATH"] = ":".join([*path, runner.environment["PATH"]])
    return runner.run(steps[step])


def gitlab(name: str, runner: Runner) -> subprocess.CompletedProcess[str]:
    """A job: GitLab itself expands what stands under `variables`, knowing its own variables and no others."""
    jobs = document(GITLAB)
    known = {key: value for key, value in runner.environment.items() if key.startswith("CI_")}
    for variable, text in jobs["variables"].items():
        runner.environment[variable] = re.sub(r"\$\{?(\w+)\}?", lambda found: known.get(found[1], ""), text)
    job = jobs[name]
    before = job.get("before_script") or jobs[job["extends"]]["before_script"]
    return runner.run(*before, *job["script"])


Step = Callable[[str, Runner], "subprocess.CompletedProcess[str]"]
SERVICES: dict[str, tuple[Step, str, str]] = {
    # name: what runs a step, the step that compares, the one that accepts
    "github": (github, "Compare with the accepted report", "Accept the report"),
    "gitlab": (gitlab, "compare", "accept"),
}


def measured(runner: Runner, seconds: float, seed: int) -> None:
    """Tonight's report, as if it had been measured."""
    folder = runner.folder / "reports/local/nightly"
    folder.mkdir(parents=True, exist_ok=True)
    write(folder / "report.csv", row(times(seconds, seed=seed)))


@pytest.mark.parametrize(("service", "compare", "accept"), SERVICES.values(), ids=SERVICES.keys())
def test_without_an_accepted_report_the_job_passes_and_says_how_to_accept_one(
    service: Step,
    compare: str,
    accept: str,
    runner: Runner,
) -> None:
    measured(runner, 2e-3, seed=1)
    done = service(compare, runner)
    told = done.stdout if service is gitlab else Path(runner.environment["GITHUB_STEP_SUMMARY"]).read_text()
    assert (done.returncode, "No report was accepted yet" in told, "accept" in told) == (0, True, True)
    assert not (runner.folder / "home/bench-accepted").exists()


@pytest.mark.parametrize(("service", "compare", "accept"), SERVICES.values(), ids=SERVICES.keys())
@pytest.mark.parametrize(("tonight", "status"), [(2e-3, 0), (2.2e-3, 1)], ids=["same", "slower"])
def test_the_job_compares_with_what_was_accepted_and_ends_with_the_status_of_the_comparison(
    service: Step, compare: str, accept: str, tonight: float, status: int, runner: Runner
) -> None:
    for earlier in (3e-3, 2e-3):  # what is accepted takes the place of what was
        measured(runner, earlier, seed=1)
        assert service(accept, runner).returncode == 0
    assert [path.name for path in runner.accepted.iterdir()] == ["report.csv"]
    measured(runner, tonight, seed=2)
    done = service(compare, runner)
    assert done.returncode == status, done.stderr
    assert "The gate" in (runner.folder / "summary.md").read_text()
    assert "<testsuites" in (runner.folder / "compare.xml").read_text()
    assert service is gitlab or "The gate" in Path(runner.environment["GITHUB_STEP_SUMMARY"]).read_text()
