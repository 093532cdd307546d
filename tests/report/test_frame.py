import dataclasses
import math
from collections.abc import Callable
from pathlib import Path

import pandas as pd
import pytest
from builders import estimate
from hypothesis import given
from hypothesis import strategies as st
from stories import hostile, nothing, story

import bench
from bench.analysis.summary import Summary
from bench.errors import BenchError
from bench.report.cells import neutralise, restore
from bench.report.frame import (
    COLUMNS,
    REPRODUCIBILITY_COLUMNS,
    VERDICT_COLUMNS,
    estimates_frame,
    load,
    process_values,
    reproducibility_frame,
    verdicts_frame,
    write_csv,
)

FIXED = (
    "schema, suite, benchmark, version, case, variant, baseline, point, device, metric, unit, better, status, reason, "
    "value, low, high, confidence, processes, process_values, samples, valid_fraction, stop_reason, ratio, ratio_low, "
    "ratio_high, flags, torch, cuda, cudnn, driver, gpu, gpu_uuid, cpu, host, python, environment, run, time"
)


def written(summary: Summary, folder: Path) -> Path:
    path = folder / "report.csv"
    write_csv(estimates_frame(summary), path)
    return path


def edited(folder: Path, old: str, new: str) -> Path:
    path = written(story(), folder)
    text = path.read_text(encoding="utf-8")
    assert old in text
    path.write_text(text.replace(old, new, 1), encoding="utf-8", newline="")
    return path


def test_the_fixed_columns_come_first_and_in_order():
    assert ", ".join(COLUMNS) == FIXED
    assert tuple(estimates_frame(story()).columns)[: len(COLUMNS)] == COLUMNS


@pytest.mark.parametrize("name", ["report", "verdicts", "reproducibility"])
def test_the_csv_files_read_as_accepted(name: str, tmp_path: Path, golden: Callable[[str, str], None]):
    make = {"report": estimates_frame, "verdicts": verdicts_frame, "reproducibility": reproducibility_frame}[name]
    write_csv(make(story()), tmp_path / "a.csv")
    golden(f"report/{name}.csv", (tmp_path / "a.csv").read_bytes().decode())


def test_what_is_loaded_is_what_was_written(tmp_path: Path):
    frame = estimates_frame(story())
    pd.testing.assert_frame_equal(load(written(story(), tmp_path)), frame, check_dtype=False)
    pd.testing.assert_frame_equal(bench.load(tmp_path), frame, check_dtype=False)


def test_hostile_names_come_back_as_they_were(tmp_path: Path):
    frame = estimates_frame(hostile())
    pd.testing.assert_frame_equal(load(written(hostile(), tmp_path)), frame, check_dtype=False)


def test_cells_that_a_spreadsheet_would_run_are_text(tmp_path: Path):
    rows = (
        estimate(status="failed", reason=reason) for reason in ("=1+1", "+1", "-1", "@x", "\tx", "'=1", "-x", "plain")
    )
    frame = estimates_frame(dataclasses.replace(story(), estimates=tuple(rows)))
    path = tmp_path / "a.csv"
    write_csv(frame, path)
    raw = pd.read_csv(path, dtype=str, keep_default_na=False)
    assert list(raw["reason"]) == ["'=1+1", "+1", "-1", "'@x", "'\tx", "''=1", "'-x", "plain"]


@given(st.text())
def test_neutralising_is_undone_by_restoring(text: str):
    assert restore(str(neutralise(text))) == text.replace("\0", "␀")


def test_a_missing_number_is_an_empty_field(tmp_path: Path):
    raw = pd.read_csv(written(story(), tmp_path), dtype=str, keep_default_na=False)
    broken = raw[raw["status"] == "oom"]
    assert set(broken["value"]) == {""}
    assert set(broken["ratio"]) == {""}


def test_numbers_keep_every_digit(tmp_path: Path):
    number = 0.1 + 0.2
    row = estimate(value=number, process_values=(number, 1 / 3))
    path = tmp_path / "report.csv"
    write_csv(estimates_frame(dataclasses.replace(story(), estimates=(row,))), path)
    frame = load(path)
    assert frame["value"].iloc[0] == number
    assert process_values(frame["process_values"].iloc[0]) == (number, 1 / 3)


def test_values_are_floats_where_every_metric_is_a_number():
    numbers = tuple(e for e in story().estimates if not isinstance(e.value, str))
    frame = estimates_frame(dataclasses.replace(story(), estimates=numbers))
    assert frame["value"].dtype == "float64"
    mixed = estimates_frame(story())["value"]
    assert {type(v) for v in mixed if not (isinstance(v, float) and math.isnan(v))} == {float, str}


def test_a_run_without_a_number_still_has_its_columns(tmp_path: Path):
    frame = load(written(nothing(), tmp_path))
    assert len(frame) == 0
    assert tuple(frame.columns)[: len(COLUMNS)] == COLUMNS
    assert tuple(verdicts_frame(nothing()).columns) == VERDICT_COLUMNS
    assert tuple(reproducibility_frame(nothing()).columns) == REPRODUCIBILITY_COLUMNS


def test_numeric_checks_are_no_matter_of_reproducibility():
    assert set(reproducibility_frame(story())["level"]) == {"quick"}


def test_unknown_columns_are_kept(tmp_path: Path):
    path = written(story(), tmp_path)
    frame = load(path)
    frame["mine"] = "x"
    write_csv(frame, path)
    assert set(load(path)["mine"]) == {"x"}


def test_nothing_half_written_is_left_behind(tmp_path: Path):
    write_csv(estimates_frame(story()), tmp_path / "report.csv")
    assert [p.name for p in tmp_path.iterdir()] == ["report.csv"]
    with pytest.raises(BenchError, match="cannot write"):
        write_csv(estimates_frame(story()), tmp_path / "no" / "report.csv")


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("schema,suite", "schema,sweet", "line 1: no column suite"),
        ("0.0027,", "0.oo27,", "line 2, column value"),
        (",48,", ",48.5,", "line 2, column samples"),
        ("\n1,conv", "\n7,conv", "schema 7 is newer"),
        ("\n1,conv", "\n1,conv,extra", "line 2, column process_variances: 44 cells, where the header has 43"),
        ("time/forward", "time/for\0ward", r"line 2, column \d+: a NUL byte"),
    ],
)
def test_a_broken_report_is_named_with_line_and_column(old: str, new: str, said: str, tmp_path: Path):
    with pytest.raises(BenchError, match=said):
        load(edited(tmp_path, old, new))


def test_a_report_cut_off_says_where(tmp_path: Path):
    path = written(story(), tmp_path)
    text = path.read_text(encoding="utf-8")
    path.write_text(text[: text.rindex(",conv,")], encoding="utf-8", newline="")
    with pytest.raises(BenchError, match=r"line \d+: has no end: is the file cut off"):
        load(path)


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty"),
        ("schema,suite\n".encode("utf-16"), "UTF-8"),
        (b"schema;suite;case\n1;conv;x\n", "separated by ';'"),
        (b"x" * (5 << 20), "longer than 4 MiB"),
        (f'{",".join(COLUMNS)}\n"1,conv\n'.encode(), "unexpected end of data"),
    ],
)
def test_another_kind_of_file_is_refused_with_a_reason(content: bytes, said: str, tmp_path: Path):
    path = tmp_path / "report.csv"
    path.write_bytes(content)
    with pytest.raises(BenchError, match=said):
        load(path)


def test_a_folder_without_a_report_says_so(tmp_path: Path):
    with pytest.raises(BenchError, match=r"report\.csv: no such file"):
        load(tmp_path)
    loop = tmp_path / "loop.csv"
    loop.symlink_to(loop)
    with pytest.raises(BenchError, match="cannot be read"):
        load(loop)
