from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pyperf
import pytest
from compared import report, row, times

from bench.analysis.compare import compare
from bench.interop.reading import read

OPERATORS = (
    "Benchmarking Framework,Benchmarking Module Name,Case Name,tag,run_backward,Execution Time,"
    "Peak Memory (KB),Memory Bandwidth (GB/s)\n"
    "PyTorch,add,add_M1_N1_K1_cpu,short,False,2.406686,0.000000,0.004986\n"
    'PyTorch,as_strided,"as_strided_M8_N8_size(2,2)_cpu",short,False,3.643578,0.000000,0.140521\n'
    "PyTorch,add,add_M1_N1_K1_cpu,short,False,2.5,0.000000,0.004986\n"
    "PyTorch,add,broken,short,False,,0.000000,\n"
)


def pytest_benchmark_json(path: Path, **medians: object) -> Path:
    data: dict[str, Any] = {
        "machine_info": {"node": "host", "python_version": "3.11.7", "cpu": {"brand_raw": "Test CPU"}},
        "benchmarks": [
            {"fullname": f"t.py::{name}", "name": name, "stats": {"median": median}} for name, median in medians.items()
        ],
    }
    path.write_text(json.dumps(data))
    return path


def pyperf_json(path: Path, factor: float = 1.0, **options: object) -> Path:
    """What pyperf itself writes: a run that calibrates, then three processes of two values."""
    about = {"name": "sum", "cpu_model_name": "Test CPU", "python_version": "3.11.7 (64-bit)", **options}
    runs = [pyperf.Run([], warmups=[(1, 1.0)], metadata=about, collect_metadata=False)]
    runs += [
        pyperf.Run([factor * v for v in values], metadata=about, collect_metadata=False)
        for values in ((1.0, 1.2), (1.1, 1.3), (1.2, 1.4))
    ]
    pyperf.BenchmarkSuite([pyperf.Benchmark(runs)]).dump(str(path), replace=True)
    return path


def test_pytest_benchmark_gives_medians_and_no_verdict(tmp_path: Path) -> None:
    base = read(pytest_benchmark_json(tmp_path / "a.json", test_a=0.5, test_b=1.0))
    new = read(pytest_benchmark_json(tmp_path / "b.json", test_a=2.0, test_b=1.0))
    assert base.facts == {"cpu": ("Test CPU",), "python": ("3.11.7",), "host": ("host",)}
    found = compare([base, new]).changes
    assert [(c.case, c.metric, c.state, c.ratio) for c in found] == [
        ("t.py::test_a", "time", "unresolved", 4.0),
        ("t.py::test_b", "time", "unresolved", 1.0),
    ]
    assert all("one process" in change.reason for change in found)


def test_pyperf_gives_its_processes_and_at_best_unresolved(tmp_path: Path) -> None:
    base, new = read(pyperf_json(tmp_path / "a.json")), read(pyperf_json(tmp_path / "b.json", 2.0))
    assert base.rows["sum"]["time"].process_values == pytest.approx((1.1, 1.2, 1.3))
    assert base.facts == {"cpu": ("Test CPU",), "python": ("3.11.7",)}
    (change,) = compare([base, new]).changes
    assert (change.state, change.unit) == ("unresolved", "s")
    assert change.ratio == pytest.approx(2.0)


def test_pyperf_tells_its_unit(tmp_path: Path) -> None:
    report = read(pyperf_json(tmp_path / "a.json", unit="byte"))
    assert [(r.metric, r.unit) for r in report.rows["sum"].values()] == [("byte", "B")]


def test_the_operator_benchmark_gives_seconds_and_what_failed(tmp_path: Path) -> None:
    path = tmp_path / "operators.csv"
    path.write_text(OPERATORS)
    rows = read(path).rows
    assert rows["add_M1_N1_K1_cpu (short)"]["time"].value == pytest.approx(2.406686e-6)
    assert rows["as_strided_M8_N8_size(2,2)_cpu (short)"]["time"].value == pytest.approx(3.643578e-6)
    assert rows["add_M1_N1_K1_cpu (short) (2)"]["time"].value == pytest.approx(2.5e-6)
    assert (rows["broken (short)"]["time"].status, rows["broken (short)"]["time"].value) == ("failed", None)


def test_what_stands_beside_the_name_of_an_operator_is_part_of_it(tmp_path: Path) -> None:
    path = tmp_path / "operators.csv"
    lines = ("add,short,False,1", "add,long,False,2", "add,short,True,3", "add,short,False,4", "add,,False,5")
    path.write_text("Case Name,tag,run_backward,Execution Time\n" + "\n".join(lines) + "\n")
    named = {case: round(rows["time"].value * 1e6) for case, rows in read(path).rows.items()}  # type: ignore[operator]
    assert named == {"add (short)": 1, "add (long)": 2, "add (short, backward)": 3, "add (short) (2)": 4, "add": 5}


def test_json_with_a_mark_before_it_and_space_around_it_is_json(tmp_path: Path) -> None:
    path = pytest_benchmark_json(tmp_path / "a.json", test_a=0.5)
    path.write_bytes(b"\xef\xbb\xbf\n " + path.read_bytes())
    assert read(path).rows["t.py::test_a"]["time"].value == 0.5


def test_the_two_columns_of_an_operator_benchmark_are_enough(tmp_path: Path) -> None:
    path = tmp_path / "operators.csv"
    path.write_text("Case Name,Execution Time\r\nadd,2.5\r\n", newline="")
    assert read(path).rows["add"]["time"].value == pytest.approx(2.5e-6)


def test_another_tools_file_against_ours_is_missing_and_new_not_silence(tmp_path: Path) -> None:
    theirs = read(pytest_benchmark_json(tmp_path / "a.json", test_a=0.5))
    found = compare([theirs, report(row(times()), name="new")]).changes
    assert [change.state for change in found] == ["missing", "new"]
