from __future__ import annotations

import os
import re
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from builders import case, environment, manifest
from compared import CASE, HEADER, bits, cells, csv_text, exact, row, times, write

from bench.errors import BenchError
from bench.interop.reading import read
from bench.report.table import LONGEST_LINE_BYTES
from bench.store import Store

TIME = row(times())


def refusal(path: Path) -> str:
    with pytest.raises(BenchError) as error:
        read(path)
    text = str(error.value)
    assert len(text.split("\n")) <= 2
    assert len(text) < 600
    assert str(path) in text
    return text


def folder(path: Path, *rows: object, **fields: object) -> Path:
    """A report folder: manifest, environment and report.csv."""
    store = Store(path)
    store.write_manifest(manifest(cases=(case("bias"), case("no_bias")), **fields))
    store.add_environment(environment(kernel="6.1", affinity=None))
    store.add_environment(environment(kernel="6.1", threads=2))
    store.close()
    write(path / "report.csv", *rows)  # type: ignore[arg-type]
    return path


def test_a_report_csv_is_read_with_its_rows_and_facts(tmp_path: Path) -> None:
    memory = exact(1024.0)
    report = read(write(tmp_path / "report.csv", TIME, memory, bits("12e345678")))
    assert list(report.rows) == [CASE]
    assert report.rows[CASE]["time/forward"].process_values == TIME.process_values
    assert report.rows[CASE]["time/forward"].value == TIME.value
    assert report.rows[CASE]["memory/peak/forward"].value == 1024.0
    assert report.rows[CASE]["bits/output"].value == "12e345678"
    assert report.facts == {"torch": ("2.10",), "cpu": ("Test CPU",), "python": ("3.11.2",), "metronome": ("m1",)}


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


@pytest.mark.parametrize(
    ("name", "text"), [("environment.json", "[]"), ("environment.json", "{"), ("manifest.json", "[]")]
)
def test_a_folder_with_a_broken_file_is_refused(name: str, text: str, tmp_path: Path) -> None:
    path = folder(tmp_path / "run", TIME)
    (path / name).write_text(text)
    with pytest.raises(BenchError, match=name):
        read(path)


def test_a_folder_without_a_report_is_refused(tmp_path: Path) -> None:
    assert "a folder without report.csv" in refusal(tmp_path)


def edited(edit: Callable[[str], str | bytes]) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        changed = edit(csv_text([cells(TIME), cells(exact(1024.0), reason="a quote")]))
        path.write_bytes(changed.encode() if isinstance(changed, str) else changed)

    return make


def cell(name: str, value: object, of: object = TIME) -> Callable[[Path], None]:
    return lambda path: path.write_text(csv_text([cells(of, **{name: value})]), encoding="utf-8") and None  # type: ignore[arg-type,func-returns-value]


def without(column: str) -> Callable[[Path], None]:
    header = [name for name in HEADER if name != column]
    return lambda path: path.write_text(csv_text([cells(TIME)], header), encoding="utf-8") and None  # type: ignore[func-returns-value]


def one_endless_line(path: Path) -> None:
    """A gigabyte without a line break, most of it a hole in the file: it must not be read to its end."""
    with open(path, "wb") as file:
        file.write(csv_text([]).encode() + b"x" * (LONGEST_LINE_BYTES + 1))
        file.truncate(1 << 30)


def circle(path: Path) -> None:
    path.symlink_to(path.with_name("other"))
    path.with_name("other").symlink_to(path)


BAD: dict[str, tuple[Callable[[Path], None], str]] = {
    "cut off inside a cell": (edited(lambda t: t[:-30]), r"line 3: has no end: is the file cut off\?"),
    "cut off inside a row": (
        edited(lambda t: t[: t.index(";")] + "\n"),
        r"line 2, column samples: the line ends before it: is the file cut off\?",
    ),
    "cut off inside quotes": (edited(lambda t: t[: t.index(",n=4]")] + "\n"), r"line 2: .*is the file cut off\?"),
    "a cell too many": (
        edited(lambda t: t.replace("\n1,", "\n1,1,", 1)),
        r"line 2, column metronome: 42 cells, where the header has 41",
    ),
    "another tool's": (
        edited(lambda t: "name,mean,stddev\na,1,2\n"),
        r"line 1: no column schema, case, metric, unit …",
    ),
    "no row": (edited(lambda t: t[: t.index("\n") + 1]), "has no rows: nothing was measured"),
    "empty": (edited(lambda t: ""), "is empty"),
    "a missing column": (without("process_values"), r"line 1: no column process_values"),
    "words for a number": (cell("value", "fast"), r"line 2, column value: 'fast' is not a number"),
    "no number": (cell("value", "nan"), r"line 2, column value: 'nan' is not a number"),
    "an infinite bound": (cell("low", "inf"), r"line 2, column low: 'inf' is not a number"),
    "a list of words": (
        cell("process_values", "1;x"),
        r"line 2, column process_values: '1;x' is not a list of numbers",
    ),
    "an unknown status": (cell("status", "fine"), r"line 2, column status: 'fine' is none of ok, skipped"),
    "an unknown direction": (cell("better", "up"), r"line 2, column better: 'up' is neither lower nor higher"),
    "a schema that is none": (cell("schema", "one"), r"line 2, column schema: 'one' is not a number of ours"),
    "another unit": (cell("unit", "ms"), r"line 2, column unit: 'ms', where 'time/forward' is in 's': SI base units"),
    "nothing measured, and well": (cell("value", ""), r"line 2, column value: is empty though the status is ok"),
    "the same case twice": (
        edited(lambda t: t + t.split("\n")[1] + "\n"),
        r"line 4, column metric: 'time/forward' of 'conv/.*' stands already on line 2",
    ),
    "a NUL byte": (edited(lambda t: t.replace("a quote", "a\0quote").encode()), r"line 3, column \d+: a NUL byte"),
    "UTF-16": (edited(lambda t: t.encode("utf-16")), r"line 1: is UTF-16; save it as UTF-8"),
    "Latin-1": (edited(lambda t: t.replace("a quote", "für").encode("latin-1")), r"line 3, column \d+: not UTF-8"),
    "semicolons": (
        edited(lambda t: t.replace(",", ";").replace(".", ",")),
        r"line 1: cells are separated by ';': export with ',' and decimal points",
    ),
    "a gigabyte in one line": (one_endless_line, r"line 2: is longer than 4 MiB"),
    "links in a circle": (circle, r"cannot be read \(Too many levels of symbolic links\)"),
    "no file": (lambda path: None, "no such file"),
    "JSON of something else": (edited(lambda t: '{"a": 1}'), "JSON of neither pytest-benchmark nor pyperf"),
    "JSON that is cut off": (edited(lambda t: '{"a": 1,'), r"line 1, column \d+: not JSON"),
}


@pytest.mark.parametrize(("make", "message"), BAD.values(), ids=BAD.keys())
def test_bad_input_is_told_with_file_line_and_column(
    make: Callable[[Path], None], message: str, tmp_path: Path
) -> None:
    path = tmp_path / "report.csv"
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
