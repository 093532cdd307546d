from __future__ import annotations

import json
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from compared import CASE, FACTS, bits, exact, report, row, times

from bench.analysis.reported import Report
from bench.errors import BenchError
from bench.interop.exports import FORMS, export
from bench.interop.reading import read

BROKEN = "conv/bias_before_bn[c=16,n=4]/broken@cpu"


def sample(by: float = 1.0) -> Report:
    values = times(2e-3 * by)
    return report(
        row(values, low=1.9e-3 * by, high=2.1e-3 * by),
        row(values, metric="time/forward/adjusted"),
        exact(4096.0),
        bits("aa"),
        exact(120.0, "work/macs(thop)", unit="MAC", better=""),
        row(status="oom", reason="too large", value=None, case=BROKEN),
        facts={**FACTS, "host": ("box",), "python": ("3.11.2",)},
    )


def exported(form: str) -> Any:
    return json.loads(export(sample(), form))


@pytest.mark.parametrize("form", FORMS)
def test_what_was_not_measured_is_absent_and_never_zero(form: str) -> None:
    text = export(sample(), form)
    assert BROKEN not in text
    assert CASE in text
    assert "NaN" not in text
    assert export(report(row(status="oom", value=None)), form).count(CASE) == 0


def test_pytest_benchmark_compares_what_is_exported(tmp_path: Path) -> None:
    """The other program itself reads two exports and prints both under one group."""
    paths = [tmp_path / "0001_base.json", tmp_path / "0002_new.json"]
    for path, by in zip(paths, (1.0, 2.0), strict=True):
        path.write_text(export(sample(by), "pytest-benchmark"))
    command = [sys.executable, "-m", "pytest_benchmark", "compare", "--columns=median,rounds", *map(str, paths)]
    done = subprocess.run(command, capture_output=True, text=True, cwd=tmp_path, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count(f"{CASE} time/forward") == 2
    assert "Failed to load" not in done.stdout + done.stderr
    assert " 12" in done.stdout
    assert "(2." in done.stdout  # twice the time, as the other program sees it


def test_a_report_exported_to_pytest_benchmark_can_be_read_back(tmp_path: Path) -> None:
    path = tmp_path / "export.json"
    path.write_text(export(sample(), "pytest-benchmark"))
    back = read(path)
    assert back.rows[f"{CASE} time/forward"]["time"].value == pytest.approx(2e-3, rel=0.05)
    assert back.facts["cpu"] == ("Test CPU",)


def test_pytest_benchmark_gets_the_headline_times_and_the_rest_beside_them() -> None:
    (benchmark,) = exported("pytest-benchmark")["benchmarks"]
    assert benchmark["group"] == "conv/bias_before_bn[c=16,n=4]@cpu time/forward"
    assert benchmark["params"] == {"c": "16", "n": "4"}
    assert benchmark["stats"]["rounds"] == 12
    assert benchmark["extra_info"]["memory/peak/forward"] == 4096.0
    assert benchmark["extra_info"]["bits/output"] == "aa"


def test_pytest_benchmark_gets_when_it_was_measured_where_that_is_known() -> None:
    known = replace(sample(), measured="2026-01-02T03:04:05Z")
    assert json.loads(export(known, "pytest-benchmark"))["datetime"] == "2026-01-02T03:04:05Z"
    assert "datetime" not in exported("pytest-benchmark")


def test_bencher_gets_values_with_their_bounds() -> None:
    found = exported("bencher")[CASE]
    assert found["time/forward"] == {
        "value": pytest.approx(2e-3, rel=0.05),
        "lower_value": 1.9e-3,
        "upper_value": 2.1e-3,
    }
    assert found["memory/peak/forward"] == {"value": 4096.0}
    assert "bits/output" not in found
    assert all(len(measure) <= 64 for measure in found)  # Bencher's limit for the name of a measure


def test_github_action_benchmark_gets_only_what_is_better_smaller() -> None:
    entries = {entry["name"]: entry for entry in exported("github-action-benchmark")}
    assert entries[f"{CASE} time/forward"]["unit"] == "s"
    assert entries[f"{CASE} time/forward"]["range"] == "± 0.0001"
    assert entries[f"{CASE} time/forward"]["extra"] == "12 processes"
    assert "range" not in entries[f"{CASE} memory/peak/forward"]
    assert not any("macs" in name for name in entries)


def test_the_hud_gets_a_record_per_metric_with_every_process() -> None:
    records = exported("pytorch-hud")
    time = next(r for r in records if r["metric"]["name"] == "time/forward")
    assert time["benchmark"] == {
        "name": "conv/bias_before_bn",
        "mode": "training",
        "dtype": "",
        "extra_info": {"device": "cpu", "c": "16", "n": "4"},
    }
    assert time["model"]["name"] == CASE
    assert len(time["metric"]["benchmark_values"]) == 12
    assert time["dependencies"]["pytorch"]["version"] == "2.10"
    assert time["runners"][0]["cpu_info"] == "Test CPU"
    memory = next(r for r in records if r["metric"]["name"] == "memory/peak/forward")
    assert memory["metric"]["benchmark_values"] == [4096.0]
    texts = [time["benchmark"]["extra_info"], time["metric"]["extra_info"], time["runners"][0]["extra_info"]]
    assert all(isinstance(value, str) for text in texts for value in text.values())  # Map(String, String) in the schema


def test_the_hud_gets_a_mode_only_where_a_metric_belongs_to_one() -> None:
    modes = {
        "time/forward": "training",
        "time/backward/calm": "training",
        "memory/peak/inference": "inference",
        "memory/parameters": "",
        "work/flops(torch)": "",
    }
    records = json.loads(export(report(*(exact(1.0, metric) for metric in modes)), "pytorch-hud"))
    assert {r["metric"]["name"]: r["benchmark"]["mode"] for r in records} == modes


def test_the_case_of_another_tool_is_exported_by_its_name() -> None:
    foreign = report(row(times(), case="t.py::test_a", metric="time"))
    assert json.loads(export(foreign, "pytorch-hud"))[0]["model"]["name"] == "t.py::test_a"
    assert json.loads(export(foreign, "bencher")).keys() == {"t.py::test_a"}


def test_a_form_that_does_not_exist_is_refused_with_the_nearest() -> None:
    with pytest.raises(BenchError, match="did you mean 'bencher'"):
        export(sample(), "benchr")
    with pytest.raises(BenchError, match="choose from pytest-benchmark, bencher"):
        export(sample(), "xyz")
