from __future__ import annotations

import os
import re
import sys
from pathlib import Path

import pytest
from bad_input import FILES, FOLDERS, TIME, Make, folder
from builders import case
from compared import CASE, HEADER, bits, cells, csv_text, exact, row, write

from bench.analysis.compare import compare
from bench.errors import BenchError
from bench.interop.reading import read
from bench.report.table import LONGEST_LINE_BYTES


def refusal(path: Path) -> str:
    with pytest.raises(BenchError) as error:
        read(path)
    text = str(error.value)
    assert len(text.split("\n")) <= 2
    assert len(text) < 600
    assert str(path) in text
    return text


def test_a_report_csv_is_read_with_its_rows_and_facts(tmp_path: Path) -> None:
    memory = exact(1024.0)
    report = read(write(tmp_path / "report.csv", TIME, memory, bits("12e345678")))
    assert list(report.rows) == [CASE]
    assert report.rows[CASE]["time/forward"].process_values == TIME.process_values
    assert report.rows[CASE]["time/forward"].value == TIME.value
    assert report.rows[CASE]["memory/peak/forward"].value == 1024.0
    assert report.rows[CASE]["bits/output"].value == "12e345678"
    assert report.facts == {"torch": ("2.10",), "cpu": ("Test CPU",), "python": ("3.11.2",), "metronome": ("m1",)}


def test_what_follows_a_text_among_the_values_is_read(tmp_path: Path) -> None:
    said = exact("identical", "output/forward", unit="")
    report = read(write(tmp_path / "report.csv", said, TIME, exact(1024.0)))
    assert report.rows[CASE]["output/forward"].value == "identical"
    assert list(report.rows[CASE]) == ["output/forward", "time/forward", "memory/peak/forward"]


def long_report(path: Path) -> Path:
    """More than the reader takes at once."""
    cases = (CASE.replace("n=4", f"n={n}") for n in range(5_000))
    path.write_text(csv_text(cells(TIME, case=each, facts="x" * 1_000) for each in cases), encoding="utf-8")
    assert path.stat().st_size > LONGEST_LINE_BYTES
    return path


def test_a_long_report_is_read_to_its_end(tmp_path: Path) -> None:
    report = read(long_report(tmp_path / "report.csv"))
    assert len(report.rows) == 5_000
    assert [rows["time/forward"].line for rows in report.rows.values()] == list(range(2, 5_002))
    assert {rows["time/forward"].process_values for rows in report.rows.values()} == {TIME.process_values}


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        (b"\0", r"line 4900, column \d+: a NUL byte"),
        (b"\xff", r"line 4900, column \d+: not UTF-8"),
        (b",", r"line 4900, column metronome: \d+ cells, where the header has"),
    ],
)
def test_trouble_far_into_a_long_report_is_told_with_its_line(tmp_path: Path, broken: bytes, said: str) -> None:
    path = long_report(tmp_path / "report.csv")
    lines = path.read_bytes().split(b"\n")
    lines[4899] = lines[4899].replace(b"xxx", broken, 1)
    path.write_bytes(b"\n".join(lines))
    assert re.search(said, refusal(path))


def test_what_stands_before_trouble_is_told_first(tmp_path: Path) -> None:
    path = long_report(tmp_path / "report.csv")
    lines = path.read_bytes().split(b"\n")
    lines[10] = lines[10].replace(b",ok,", b",fine,")
    lines[20] = lines[20].replace(b"xxx", b"\0")
    path.write_bytes(b"\n".join(lines))
    assert "line 11, column status" in refusal(path)


def test_unknown_columns_another_order_and_another_schema_number_are_read(tmp_path: Path) -> None:
    path = tmp_path / "report.csv"
    path.write_text(csv_text([cells(TIME, schema=7, flavour="x")], ("flavour", *reversed(HEADER))), encoding="utf-8")
    assert read(path).rows[CASE]["time/forward"].value == TIME.value


def test_the_mark_that_excel_puts_before_utf8_and_its_line_ends_are_read(tmp_path: Path) -> None:
    path = tmp_path / "report.csv"
    path.write_bytes(b"\xef\xbb\xbf" + csv_text([cells(TIME)]).replace("\n", "\r\n").encode())
    assert read(path).rows[CASE]["time/forward"].version == "v1"


def test_cells_that_were_neutralised_are_restored(tmp_path: Path) -> None:
    broken = row(status="failed", reason="'=1+1", value=None)
    assert read(write(tmp_path / "report.csv", broken)).rows[CASE]["time/forward"].reason == "=1+1"


def test_a_folder_gives_its_environment_and_its_plan(tmp_path: Path) -> None:
    report = read(folder(tmp_path / "run", TIME))
    assert report.facts["kernel"] == ("6.1",)
    assert report.facts["threads"] == ("2",)
    assert "affinity" not in report.facts
    assert report.planned == (case("bias").id, case("no_bias").id)
    assert report.unfinished == ""


def test_a_folder_whose_run_ended_early_says_how_far_it_came(tmp_path: Path) -> None:
    report = read(folder(tmp_path / "run", TIME, finished=""))
    assert report.unfinished == "the run ended early, with 1 of 2 cases"


def test_a_folder_gives_the_worst_of_its_determinism_checks(tmp_path: Path) -> None:
    path = folder(tmp_path / "run", TIME)
    header = ("suite", "benchmark", "case", "variant", "level", "knobs", "what", "repeats", "differing", "verdict")
    rows = [
        {"case": CASE, "level": "quick", "what": "output", "verdict": verdict, "knobs": knobs}
        for verdict, knobs in [("repeats", ""), ("differs", ""), ("random", ""), ("repeats", "threads=2")]
    ]
    (path / "reproducibility.csv").write_text(csv_text(rows, header), encoding="utf-8")
    found = read(path).rows[CASE]
    assert found["repeats/quick/output"].value == "differs"
    assert found["repeats/quick/output[threads=2]"].value == "repeats"
    (path / "reproducibility.csv").write_text(csv_text([{**rows[0], "verdict": "perhaps"}], header), encoding="utf-8")
    with pytest.raises(BenchError, match=r"reproducibility\.csv, line 2, column verdict: 'perhaps' is none of"):
        read(path)


def test_checks_of_an_earlier_schema_had_no_knobs(tmp_path: Path) -> None:
    path = folder(tmp_path / "run", TIME)
    checks = [{"case": CASE, "level": "quick", "what": "output", "verdict": "differs"}]
    (path / "reproducibility.csv").write_text(csv_text(checks, ("case", "level", "what", "verdict")), encoding="utf-8")
    assert read(path).rows[CASE]["repeats/quick/output"].value == "differs"


def test_of_a_folder_without_a_manifest_it_is_said_that_nobody_knows_whether_it_is_whole(tmp_path: Path) -> None:
    whole, path = folder(tmp_path / "whole", TIME), folder(tmp_path / "run", TIME)
    (path / "manifest.json").unlink()
    told = f"{path} has no manifest.json: whether all of its cases were measured is not known"
    assert (read(path).notes, read(whole).notes) == ((told,), ())
    for sides in ((path, whole), (whole, path)):
        assert told in compare([read(side) for side in sides]).pairs[0].notes


def test_a_report_tells_when_it_was_measured_and_that_is_no_fact_to_compare(tmp_path: Path) -> None:
    path = tmp_path / "report.csv"
    lines = [cells(TIME, time="2026-01-01T00:00:00Z"), cells(exact(1.0), time="2026-01-02T00:00:00Z")]
    path.write_text(csv_text(lines), encoding="utf-8")
    report = read(path)
    assert (report.measured, "time" in report.facts) == ("2026-01-02T00:00:00Z", False)
    assert read(write(path, TIME)).measured == ""


@pytest.mark.parametrize(("make", "message"), FILES.values(), ids=FILES.keys())
def test_bad_input_is_told_with_file_line_and_column(make: Make, message: str, tmp_path: Path) -> None:
    path = tmp_path / "report.csv"
    make(path)
    assert re.search(message, refusal(path))


@pytest.mark.parametrize(("make", "message"), FOLDERS.values(), ids=FOLDERS.keys())
def test_a_bad_folder_is_told_with_the_file_that_is_wrong(make: Make, message: str, tmp_path: Path) -> None:
    path = tmp_path / "run"
    make(path)
    assert re.search(message, refusal(path))


@pytest.mark.skipif(os.name != "posix" or os.geteuid() == 0, reason="the superuser may read everything")
def test_a_file_without_permission_is_refused(tmp_path: Path) -> None:
    path = write(tmp_path / "report.csv", TIME)
    path.chmod(0)
    assert "cannot be read (Permission denied)" in refusal(path)


def test_a_file_that_cannot_be_read_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = write(tmp_path / "report.csv", TIME)

    def refused(*_: object) -> bytes:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("bench.interop.reading._start", refused)
    assert "cannot be read (Permission denied)" in refusal(path)


def test_reading_needs_neither_torch_nor_pandas(tmp_path: Path) -> None:
    """Measured in a process of its own: another test may have imported them here."""
    import subprocess

    path = write(tmp_path / "report.csv", TIME)
    code = (
        "import sys; from bench.interop.reading import read; from bench.analysis.compare import compare;"
        "from bench.report.comparison_formats import render, FORMS; r = read(sys.argv[1]);"
        "[render(compare([r, r]), form, {'worse'}) for form in FORMS];"
        "print({'torch', 'pandas', 'matplotlib', 'scipy.stats'} & set(sys.modules))"
    )
    done = subprocess.run([sys.executable, "-c", code, str(path)], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
