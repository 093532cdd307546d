"""``bench compare`` as its users meet it: every state, every exit status, nothing written when it refuses."""

from __future__ import annotations

import datetime
import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TextIO

import pytest
from compared import CASE, HEADER, bits, cells, csv_text, exact, report, row, times, write

from bench import cli
from bench.analysis import gate
from bench.analysis.rates import Calibration, CaseCalibration, Rate
from bench.analysis.reported import Row
from bench.interop import calibrations
from bench.interop.comparing import compare_paths

BASE = times(2e-3, seed=1)
SAME = times(2e-3, seed=2)
SLOWER = times(2.2e-3, seed=3)

# What the fixture ``compare`` gives: exit status, what it printed, what it said on stderr.
Ended = tuple[int, str, str]
Compare = Callable[..., Ended]


@pytest.fixture
def compare(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str], tmp_path: Path) -> Compare:
    """Run ``bench compare`` in an empty folder."""
    monkeypatch.chdir(tmp_path)

    def run(*arguments: object) -> Ended:
        monkeypatch.setattr(sys, "argv", ["bench", "compare", *map(str, arguments)])
        with pytest.raises(SystemExit) as ended:
            cli.main()
        out, err = capsys.readouterr()
        return int(ended.value.code or 0), out, err

    return run


def two(
    new: Row | tuple[Row, ...], *arguments: str, old: Row | None = None, cells: dict[str, object] | None = None
) -> tuple[object, ...]:
    """A base and a new report as files in the working folder, and further arguments."""
    rows = (new,) if isinstance(new, Row) else new
    return (write(Path("base.csv"), old or row(BASE)), write(Path("new.csv"), *rows, **(cells or {})), *arguments)


OTHER = "conv/other[]/x@cpu"
STATES: dict[str, tuple[tuple[Row, ...], dict[str, object], int, int]] = {
    # state: rows of the new report, cells that differ, status by default, status when the state is named
    "worse": ((row(SLOWER),), {}, 1, 1),
    "better": ((row(times(1.8e-3, seed=3)),), {}, 0, 0),
    "same": ((row(SAME),), {}, 0, 0),
    "unresolved": ((row(times(spread=0.2, seed=5)),), {}, 0, 3),
    "new": ((row(SAME), row(SAME, case=OTHER)), {}, 0, 0),
    "missing": ((row(SAME, case=OTHER),), {}, 5, 5),
    "failed": ((row(status="oom", reason="too large", value=None),), {}, 5, 5),
    "skipped": ((row(status="skipped", reason="needs a GPU", value=None),), {}, 0, 5),
    "invalid": ((row(status="invalid", reason="noise", value=None),), {}, 6, 6),
    "incomparable": ((row(SAME),), {"cpu": "Other CPU"}, 4, 4),
}


@pytest.mark.parametrize("state", STATES)
def test_every_state_and_its_exit_status(state: str, compare: Compare) -> None:
    rows, cells, default, named = STATES[state]
    status, out, _ = compare(*two(rows, "--format", "json", cells=cells))
    assert state in json.loads(out)["pairs"][0]["counts"]
    assert (status, json.loads(out)["exit_status"]) == (default, default)
    if state not in ("better", "same", "new"):
        assert compare(*two(rows, "--fail-on", state, cells=cells))[0] == named


def test_a_difference_that_is_allowed_is_no_reason_to_refuse(compare: Compare) -> None:
    cells: dict[str, object] = {"cpu": "Other CPU", "python": "3.12.1"}
    assert compare(*two(row(SAME), cells=cells))[0] == 4
    assert compare(*two(row(SAME), "--allow-diff", "cpu,python", cells=cells))[0] == 0
    assert compare(*two(row(SAME), "--allow-diff", "cpu", "--allow-diff", "python", cells=cells))[0] == 0


@pytest.mark.parametrize(
    ("cell", "told"),
    [("1e-6;2e-6", "has not one number for each of the process_values"), ("x", "has not one"), (";" * 11, "is not a")],
)
def test_variances_that_do_not_fit_the_processes_are_refused(cell: str, told: str, compare: Compare) -> None:
    text = csv_text([cells(row(BASE), process_variances=cell)], header=(*HEADER, "process_variances"))
    Path("new.csv").write_text(text, encoding="utf-8")
    status, out, err = compare(write(Path("base.csv"), row(BASE)), "new.csv")
    assert (status, out) == (2, "")
    assert err.startswith("bench: new.csv, line 2, column process_variances: ")
    assert told in err


def test_the_floor_may_be_raised(compare: Compare) -> None:
    assert compare(*two(row(SLOWER), "--floor", "15%"))[0] == 0


def test_what_changed_stands_before_the_cases(compare: Compare) -> None:
    _, out, _ = compare(*two((row(SLOWER), bits("aa")), cells={"torch": "2.11"}))
    assert out.index("PyTorch 2.10 -> 2.11") < out.index(CASE)


def test_an_accepted_change_passes_until_it_expires(compare: Compare) -> None:
    entry = (
        '[[accept]]\ncase = "*"\nmetric = "time/*"\nchange = "+15%"\nowner = "ada"\nreason = "issue 12"\nexpires = {}\n'
    )
    Path("bench-accept.toml").write_text(entry.format("2999-01-01"))
    status, out, _ = compare(*two(row(SLOWER)))
    assert (status, "issue 12" in out) == (0, True)
    Path("bench-accept.toml").write_text(entry.format("2020-01-01"))
    status, out, _ = compare(*two(row(SLOWER)))
    assert (status, "has expired" in " ".join(out.split())) == (1, True)


def test_output_goes_to_a_file_whole_and_in_the_form_asked_for(compare: Compare) -> None:
    status, out, _ = compare(*two(row(SLOWER), "--format", "markdown", "--output", "summary.md"))
    assert (status, out) == (1, "")
    assert Path("summary.md").read_text().startswith("## The gate fails: 1 worse")


REFUSED: dict[str, tuple[list[str], str]] = {
    "one report": (["base.csv"], "compare needs two reports or more"),
    "a form that does not exist": (["base.csv", "new.csv", "--format", "mardown"], "did you mean 'markdown'"),
    "a state that does not exist": (["base.csv", "new.csv", "--fail-on", "wrse"], "did you mean 'worse'"),
    "a fact that does not exist": (["base.csv", "new.csv", "--allow-diff", "gpu_uid"], "did you mean 'gpu_uuid'"),
    "no such calibration": (["base.csv", "new.csv", "--calibration", "cla"], "cla: no such file; name a calibration"),
    "a floor that is none": (["base.csv", "new.csv", "--floor", "much"], "--floor='much' must be a share"),
    "no such file": (["base.csv", "nwe.csv"], "nwe.csv: no such file"),
    "a file that is no report": (["base.csv", "text.csv"], "text.csv, line 1: no column schema"),
    "a place that cannot be written": (["base.csv", "new.csv", "--output", "no/such/folder.md"], "cannot write"),
}


@pytest.mark.parametrize(("arguments", "message"), REFUSED.values(), ids=REFUSED.keys())
def test_what_cannot_be_done_is_status_2_in_two_lines_and_nothing_is_written(
    arguments: list[str], message: str, compare: Compare
) -> None:
    two(row(SAME))
    Path("text.csv").write_text("name,mean\na,1\n")
    before = sorted(os.listdir())
    output = [] if "--output" in arguments else ["--output", "out.md"]
    status, out, err = compare(*arguments, *output)
    assert (status, out) == (2, "")
    assert message in err
    assert len(err.strip().split("\n")) <= 2
    assert sorted(os.listdir()) == before


def test_a_bad_accept_file_is_refused_with_its_line(compare: Compare) -> None:
    Path("bench-accept.toml").write_text("[[accept]]\ncase = 3\n")
    status, _, err = compare(*two(row(SAME)))
    assert (status, "bench-accept.toml, line 1: case must be a text in quotes" in err) == (2, True)


def test_a_defect_of_ours_is_status_7(compare: Compare, monkeypatch: pytest.MonkeyPatch) -> None:
    def broken(*_: object, **__: object) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr("bench.interop.comparing.compare", broken)
    assert compare(*two(row(SAME)))[0] == 7


def test_folders_and_files_mix_and_three_make_a_matrix(compare: Compare) -> None:
    for name, values in (("a", BASE), ("b", SAME), ("c", SLOWER)):
        Path(name).mkdir()
        write(Path(name) / "report.csv", row(values), exact(1.0))
    status, out, _ = compare("a", "b/report.csv", "c")
    assert status == 1
    assert "3 reports: ratio to the first" in out


def calibrated(floor: float, cpu: str = "Test CPU") -> Calibration:
    rate = Rate(hits=0, pairs=15, low=0.0, high=0.2)
    case = CaseCalibration(
        case=CASE, metric="time/forward", adjusted=False, between_runs=0.05, floor=floor, false_alarms=rate,
        smallest_change=0.2, visible=(0.1, 0.2),
    )  # fmt: skip
    machine = {"cpu": cpu, "os": "Linux"}
    return Calibration(machine=machine, runs=6, asked_floor=0.02, fdr=0.01, false_alarms=rate, cases=(case,))


def keep(calibration: Calibration, folder: str) -> None:
    Path(folder).mkdir(parents=True)
    (Path(folder) / "calibration.json").write_text(calibrations.dumps(calibration))


def test_the_calibration_beside_the_runs_raises_the_floor_and_is_quoted(compare: Compare) -> None:
    for name, values in (("a", BASE), ("b", SLOWER)):
        Path(name).mkdir()
        write(Path(name) / "report.csv", row(values))
    status, out, _ = compare("a", "b")
    assert (status, "no calibration of this machine beside the reports or in reports/local" in said(out)) == (1, True)
    keep(calibrated(0.3), "20260101T000000Z-cpu-calibration")
    status, out, _ = compare("a", "b")
    assert status == 0
    assert "this gate on this machine: false alarms in 0 % of comparisons" in said(out)
    assert "6 runs of the same code (20260101T000000Z-cpu-calibration/calibration.json)" in said(out)


def said(out: str) -> str:
    """What was printed, its lines joined."""
    return " ".join(out.split())


def test_the_newest_calibration_of_the_same_machine_counts(compare: Compare) -> None:
    for name, values in (("a", BASE), ("b", SLOWER)):
        Path(name).mkdir()
        write(Path(name) / "report.csv", row(values))
    keep(calibrated(0.3), "20260101T000000Z-cpu-calibration")
    keep(calibrated(0.001), "20260201T000000Z-cpu-calibration")
    keep(calibrated(0.3, cpu="Other CPU"), "20260301T000000Z-cpu-calibration")
    assert compare("a", "b")[0] == 1


def test_the_calibration_that_is_named_counts_wherever_it_lies(compare: Compare) -> None:
    reports = two(row(SLOWER))
    keep(calibrated(0.001), "beside")
    keep(calibrated(0.3), "far/away/cal")
    assert compare(*reports)[0] == 1
    for named in ("far/away/cal", "far/away/cal/calibration.json"):
        status, out, _ = compare(*reports, "--calibration", named)
        assert (status, f"6 runs of the same code ({named})" in said(out)) == (0, True)


def test_the_calibration_of_another_machine_is_refused_until_that_is_allowed(compare: Compare) -> None:
    keep(calibrated(0.3, cpu="Other CPU"), "cal")
    reports = two(row(SLOWER))
    status, out, err = compare(*reports, "--calibration", "cal")
    assert (status, out) == (2, "")
    assert "cal is the calibration of another machine: CPU is Other CPU there and Test CPU in new.csv" in err
    assert compare(*reports, "--calibration", "cal", "--allow-diff", "cpu")[0] == 0


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (lambda text: text.replace('"floor": 0.3', '"floor": "x"'), 'cases[0].floor must be a number, not "x"'),
        (lambda text: text[:100], "not a calibration of bench (Unterminated"),
    ],
)
@pytest.mark.parametrize("named", [True, False])
def test_a_calibration_that_cannot_be_read_is_one_line_that_names_it(
    spoil: Callable[[str], str], message: str, named: bool, compare: Compare
) -> None:
    keep(calibrated(0.3), "cal")
    file = Path("cal/calibration.json")
    file.write_text(spoil(file.read_text()))
    status, out, err = compare(*two(row(SAME)), *(["--calibration", "cal"] if named else []))
    assert (status, out, len(err.splitlines())) == (2, "", 1)
    assert "cal/calibration.json: " in err
    assert message in err


def test_the_day_decides_what_has_expired(tmp_path: Path) -> None:
    base, new = write(tmp_path / "a.csv", row(BASE)), write(tmp_path / "b.csv", row(SLOWER))
    accepted = tmp_path / "accept.toml"
    accepted.write_text(
        '[[accept]]\ncase = "*"\nmetric = "*"\nchange = "worse"\nowner = "a"\nreason = "b"\nexpires = 2026-06-30\n'
    )
    for day, excused in ((datetime.date(2026, 6, 30), True), (datetime.date(2026, 7, 1), False)):
        comparison = compare_paths([base, new], accepted=accepted, today=day)
        assert bool(comparison.changes[0].excused) is excused


def test_comparing_imports_neither_torch_nor_pandas(tmp_path: Path) -> None:
    base = write(tmp_path / "a.csv", row(BASE))
    code = (
        "import sys; sys.argv = ['bench', 'compare', sys.argv[1], sys.argv[1]]\n"
        "from bench.cli import main\n"
        "try: main()\n"
        "finally: sys.stderr.write(repr({'torch', 'pandas', 'matplotlib', 'scipy.stats'} & set(sys.modules)))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(base)], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "set()")


def test_a_report_compared_with_itself_is_the_same(compare: Compare) -> None:
    path = write(Path("a.csv"), *report(row(BASE), exact(1.0), bits("aa")).rows[CASE].values())
    status, out, _ = compare(path, path, "--format", "json")
    assert status == 0
    assert json.loads(out)["pairs"][0]["counts"] == {"same": 3}


@pytest.mark.skipif(os.name != "posix", reason="a pipe that nobody reads")
@pytest.mark.parametrize("form", ["json", "terminal"])
def test_a_reader_that_leaves_early_takes_no_verdict_with_it(form: str, tmp_path: Path) -> None:
    base, new = write(tmp_path / "a.csv", row(BASE)), write(tmp_path / "b.csv", row(SLOWER))
    read_end, write_end = os.pipe()
    os.close(read_end)
    with open(write_end, "w") as nobody:
        assert bench_into(nobody, base, new, "--format", form) == (gate.WORSE, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="Linux")
def test_a_full_disk_behind_standard_output_is_told(tmp_path: Path) -> None:
    base = write(tmp_path / "a.csv", row(BASE))
    with open("/dev/full", "w") as full:
        status, err = bench_into(full, base, base, "--format", "json")
    assert status == gate.USAGE
    assert err == "bench: cannot write to standard output: No space left on device\n"


def bench_into(stdout: TextIO, *arguments: object) -> tuple[int, str]:
    command = [sys.executable, "-m", "bench", "compare", *map(str, arguments)]
    done = subprocess.run(command, stdout=stdout, stderr=subprocess.PIPE, text=True, check=False)
    return done.returncode, done.stderr
