"""What the documentation says is so: its commands run, its tables name what the program has."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any, get_args

import pytest

from bench import metrics, model
from bench.analysis import accept, change, gate
from bench.report import frame

ROOT = Path(__file__).parent.parent
PAGES = sorted([ROOT / "README.md", ROOT / "CONTRIBUTING.md", *(ROOT / "docs").rglob("*.md")])
REFERENCE = (ROOT / "docs" / "reference.md").read_text(encoding="utf-8")

# Commands that a test must not run: they install, or run this very test.  CI does both.
ELSEWHERE = ("pip install", "bash .ci/run")
# What a page takes for granted.
BEFORE = {
    "nightly-gpu-ci.md": "bench run suites/conv/bias_before_bn.py --tier smoke --output accepted",
    "pytest.md": "ln -s $ROOT/suites suites",
    "CONTRIBUTING.md": "mkdir mysuite; cp $ROOT/suites/timing/without_synchronize.py mysuite",
}


def blocks(page: Path, language: str) -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), re.DOTALL)


def commands(page: Path) -> list[str]:
    lines = [line for block in blocks(page, "console") for line in block.splitlines() if line.startswith("$ ")]
    return [line[2:].split("  #")[0].strip() for line in lines]


def quick(command: str) -> str:
    """The command as it is, measuring less."""
    if command.startswith("make "):
        return f"make -C {ROOT} --dry-run {command[5:]}"
    command = command.replace("python -m bench", "bench")
    if command.startswith("bench calibrate"):
        command += " --processes 6"
    if command.startswith(("bench run", "bench ab")):
        command += " --processes 5" + ("" if "--tier" in command else " --tier smoke")
        command += " -k 'conv/bias_before_bn['" if command.startswith("bench run suites/conv ") else ""
    return command


def environment(folder: Path) -> dict[str, str]:
    """A shell in which ``bench`` and ``pytest`` are this checkout's, and whose device nobody else has locked."""
    (folder / "bin").mkdir()
    for name in ("bench", "pytest"):
        script = folder / "bin" / name
        script.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m {name} "$@"\n', encoding="utf-8")
        script.chmod(0o755)
    return {
        **os.environ,
        "PATH": f"{folder / 'bin'}{os.pathsep}{os.environ['PATH']}",
        "PYTHONPATH": str(ROOT),
        "TMPDIR": str(folder),
        "OMP_NUM_THREADS": "1",  # two threads on two busy cores make samples invalid
        "ROOT": str(ROOT),
        "OLD": sys.prefix,
        "NEW": sys.prefix,
    }


@pytest.mark.slow
@pytest.mark.skipif(os.name != "posix", reason="the commands are written for a shell")
@pytest.mark.parametrize("page", [p for p in PAGES if commands(p)], ids=lambda page: page.name)
def test_the_commands_of_a_page_work_in_their_order(page: Path, tmp_path: Path) -> None:
    shell, work = environment(tmp_path), tmp_path / "work"
    work.mkdir()
    for command in [*filter(None, [BEFORE.get(page.name)]), *map(quick, commands(page))]:
        if command.startswith(ELSEWHERE):
            continue
        ran = subprocess.run(command, shell=True, cwd=work, env=shell, capture_output=True, text=True, check=False)
        # On a busy machine measurements may differ or be invalid, and a machine may have something wrong with it.
        allowed = (0, 1, 6) if command.startswith(("bench compare", "bench ab", "bench doctor")) else (0,)
        too_busy = "calibrating found no case" in ran.stderr
        assert ran.returncode in allowed or too_busy, f"{command}\n{ran.stdout[-2000:]}\n{ran.stderr[-2000:]}"
    if page.name != "CONTRIBUTING.md":
        for block in blocks(page, "python"):
            subprocess.run([sys.executable, "-c", block], cwd=work, env=shell, check=True)


def table(heading: str) -> list[str]:
    """The first column of the table under a heading of the reference."""
    section = re.split(rf"^## {re.escape(heading)}$", REFERENCE, flags=re.MULTILINE)[1].split("\n## ")[0]
    return re.findall(r"^\| `([^`]+)`", section, flags=re.MULTILINE)


def named_columns(heading: str) -> list[str]:
    section = re.split(rf"^## {re.escape(heading)}$", REFERENCE, flags=re.MULTILINE)[1]
    return re.findall(r"`([^`]+)`", section.split("has the columns")[1].split("\n")[0])


def test_the_reference_names_every_column_in_its_order() -> None:
    assert table("Columns of report.csv") == [*frame.COLUMNS, *frame.MORE_COLUMNS]
    assert named_columns("Verdicts") == list(frame.VERDICT_COLUMNS)
    assert named_columns("Reproducibility") == list(frame.REPRODUCIBILITY_COLUMNS)


@pytest.mark.parametrize(
    ("heading", "values"),
    [
        ("Statuses", model.Status),
        ("Flags", model.Flag),
        ("Verdicts", model.Decision),
        ("Reproducibility", model.Repeatability),
        ("States of compare", change.State),
    ],
)
def test_the_reference_names_every_value_there_can_be(heading: str, values: Any) -> None:
    assert sorted(table(heading)) == sorted(get_args(values))


def test_the_reference_names_every_exit_status() -> None:
    statuses = {value for name, value in vars(gate).items() if name.isupper() and isinstance(value, int)}
    assert {int(row) for row in table("Exit statuses")} == statuses


def test_the_reference_names_every_metric_a_report_can_hold() -> None:
    named = {metrics.kind(row.replace("<phase>", "forward")) for row in table("Metrics")}
    assert named == set(metrics._KINDS) - {"output", "gradient", "bits"}
    siblings = {row.rsplit("/", maxsplit=1)[1] for row in table("Metrics") if row.startswith("time/<phase>/")}
    assert siblings == set(metrics.TIME_SIBLINGS)


def test_the_reference_names_every_command() -> None:
    from bench.cli import app

    known = {command.name or command.callback.__name__ for command in app.registered_commands if command.callback}
    assert {row.split()[1] for row in table("Commands")} == known


def test_the_accept_file_that_is_shown_is_one() -> None:
    (text,) = blocks(ROOT / "docs" / "how-to" / "accepting-a-change.md", "toml")
    (entry,) = accept.parse(text)
    assert entry.owner == "ada"
