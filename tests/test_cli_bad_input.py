"""Bad input through the command line: status 2, a line or two that harm no terminal, and nothing printed or written."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from bad_input import ACCEPTS, FILES, FOLDERS, TIME, Make, folder
from builders import environment
from compared import CASE, row, times, write

from bench import cli
from bench.interop.exports import FORMS
from bench.store import Store

HOSTILE = "\x1b[31m<script>alert(1)</script>\u202egnp.exe"

# Exit status, what was printed, what was said on stderr.
Ended = tuple[int, str, str]
Bench = Callable[..., Ended]


@pytest.fixture
def bench(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Bench:
    """Run ``bench`` in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["bench", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        return int(ended.value.code or 0), *capsys.readouterr()

    return run


def assert_refused(bench: Bench, *arguments: str) -> str:
    """It is refused as it should be; what it said."""
    before = sorted(os.listdir())
    status, out, err = bench(*arguments)
    assert (status, out, sorted(os.listdir())) == (2, "", before), err
    lines = err.removesuffix("\n").split("\n")
    assert len(lines) <= 2
    assert all(line.isprintable() for line in lines)
    assert len(err) < 1000
    return err


@pytest.mark.parametrize("make", [make for make, _ in FILES.values()], ids=FILES.keys())
@pytest.mark.parametrize("side", ["base", "new"])
def test_a_bad_file_on_either_side_is_status_2(side: str, make: Make, bench: Bench) -> None:
    write(Path("good.csv"), TIME)
    make(Path("bad.csv"))
    sides = ("bad.csv", "good.csv") if side == "base" else ("good.csv", "bad.csv")
    assert "bad.csv" in assert_refused(bench, "compare", *sides, "--format", "html", "--output", "out.html")


@pytest.mark.parametrize("make", [make for make, _ in FOLDERS.values()], ids=FOLDERS.keys())
def test_a_bad_folder_is_status_2(make: Make, bench: Bench) -> None:
    folder(Path("good"), TIME)
    make(Path("bad"))
    assert "bad" in assert_refused(bench, "compare", "good", "bad", "--output", "out.md")


@pytest.mark.parametrize(("make", "message"), ACCEPTS.values(), ids=ACCEPTS.keys())
def test_a_bad_accept_file_is_status_2_and_never_taken_for_none(make: Make, message: str, bench: Bench) -> None:
    write(Path("good.csv"), TIME)
    make(Path("bench-accept.toml"))
    assert "bench-accept.toml" in assert_refused(bench, "compare", "good.csv", "good.csv", "--output", "out.md")


def test_the_facts_that_an_error_lists_are_shown_harmlessly(bench: Bench) -> None:
    store = Store(folder(Path("run"), TIME))
    store.add_environment(environment(**{HOSTILE: 1, "line\nbreak": 2}))
    store.close()
    assert "\\x1b[31m" in assert_refused(bench, "compare", "run", "run", "--allow-diff", "zzz")
    assert "did you mean" in assert_refused(bench, "compare", "run", "run", "--allow-diff", HOSTILE[3:20])


@pytest.mark.parametrize("form", FORMS)
def test_a_report_is_exported_in_every_form(form: str, bench: Bench) -> None:
    write(Path("report.csv"), row(times()), row(times(), case=f"conv/{HOSTILE}[]/x@cpu"))
    status, out, err = bench("report", "report.csv", "--export", form)
    assert (status, err) == (0, "")
    assert CASE in json.dumps(json.loads(out))
    assert "\x1b" not in out
    assert "\u202e" not in out


def test_a_form_that_does_not_exist_or_a_bad_report_exports_nothing(bench: Bench) -> None:
    write(Path("report.csv"), TIME)
    assert "did you mean 'bencher'" in assert_refused(bench, "report", "report.csv", "--export", "benchr")
    assert "no such file" in assert_refused(bench, "report", "gone.csv", "--export", "bencher")
