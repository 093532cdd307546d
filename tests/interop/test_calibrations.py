from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from bench.analysis.rates import Calibration, CaseCalibration, Injected, Rate
from bench.errors import BenchError
from bench.interop.calibrations import dumps, find, loads, read

RATE = Rate(hits=1, pairs=15, low=0.002, high=0.3)
CASE = CaseCalibration(
    case="conv/bias_before_bn[c=16,n=4]/bias@cpu",
    metric="time/forward",
    adjusted=True,
    between_runs=0.01,
    floor=0.02,
    false_alarms=RATE,
    smallest_change=None,
    visible=(0.1, 0.2),
    injected=(Injected(share=0.05, found=RATE),),
)
CALIBRATION = Calibration(
    machine={"cpu": "Test CPU", "cpu_cores": 2, "cpu_quota": None},
    runs=6,
    asked_floor=0.02,
    fdr=0.01,
    false_alarms=RATE,
    cases=(CASE,),
    measured="2026-11-21T10:00:00Z",
)
FACTS = {"cpu": ["Test CPU"], "cpu_cores": ["2"], "torch": ["2.13"]}


@pytest.fixture(autouse=True)
def _folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "work" / "report").mkdir(parents=True)
    monkeypatch.chdir(tmp_path / "work")


def keep(folder: str, calibration: Calibration = CALIBRATION, **changed: object) -> Path:
    file = Path(folder, "calibration.json")
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(dumps(replace(calibration, **changed)))
    return file.resolve()


def found(*reports: str, facts: Any = None, devices: tuple[str, ...] = ("cpu",)) -> Path | None:
    pair = find([Path(report) for report in reports or ("report",)], facts or FACTS, devices)
    return pair and pair[0]


# --- the file --------------------------------------------------------------------------------------------------------


def test_a_calibration_survives_its_file() -> None:
    assert loads(dumps(CALIBRATION), "calibration.json") == CALIBRATION
    file = keep("cal")
    assert read(file) == read(file.parent) == CALIBRATION


def test_a_file_from_before_the_date_was_kept_is_read() -> None:
    data = json.loads(dumps(CALIBRATION))
    del data["measured"]
    assert loads(json.dumps(data), "calibration.json") == replace(CALIBRATION, measured="")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 1}', '{"schema": "x"}', "\N{REPLACEMENT CHARACTER}"])
def test_what_is_no_calibration_is_a_mistake_that_names_the_file(text: str) -> None:
    with pytest.raises(BenchError, match=r"^calibration\.json: not a calibration of bench"):
        loads(text, "calibration.json")


WRONG: dict[str, tuple[Callable[[Any], object], str]] = {
    "a text for a number": (lambda d: d["cases"][0].update(floor="x"), 'cases[0].floor must be a number, not "x"'),
    "nothing for a number": (lambda d: d.update(fdr=None), "fdr must be a number, not null"),
    "no number at all": (lambda d: d.update(fdr=float("nan")), "NaN is no number"),
    "no number in a text": (lambda d: d["cases"][0].update(floor="inf"), '"inf" is no number'),
    "true for a number": (lambda d: d.update(runs=True), "runs must be a whole number, not true"),
    "a part of a run": (lambda d: d.update(runs=1.5), "runs must be a whole number, not 1.5"),
    "a number for a list": (lambda d: d.update(cases=3), "cases must be a list"),
    "a text for a list": (lambda d: d["cases"][0].update(visible="abc"), "cases[0].visible must be a list"),
    "an entry of a list": (lambda d: d["cases"][0]["visible"].append([]), "cases[0].visible[2] must be a number"),
    "a number for an object": (lambda d: d.update(false_alarms=0), "false_alarms must be an object"),
    "a list for a fact": (
        lambda d: d["machine"].update(cpu=[]),
        "machine.cpu must be a text or a number or",
    ),
    "deep inside": (
        lambda d: d["cases"][0]["injected"][0]["found"].update(hits="many"),
        'cases[0].injected[0].found.hits must be a whole number, not "many"',
    ),
    "a field that is missing": (lambda d: d["cases"][0].pop("floor"), "cases[0].floor is missing"),
}


@pytest.mark.parametrize(("spoil", "told"), WRONG.values(), ids=WRONG.keys())
def test_a_value_that_cannot_be_is_a_mistake_that_names_file_and_field(
    spoil: Callable[[Any], object], told: str
) -> None:
    data = json.loads(dumps(CALIBRATION))
    spoil(data)
    with pytest.raises(BenchError) as mistake:
        loads(json.dumps(data), "calibration.json")
    assert str(mistake.value).startswith(f"calibration.json: not a calibration of bench: {told}")


def test_a_later_schema_is_a_mistake_that_says_so() -> None:
    with pytest.raises(BenchError, match="schema 99 is of a later version of bench"):
        loads('{"schema": 99}', "calibration.json")


def test_a_file_that_is_not_there_says_what_to_name() -> None:
    with pytest.raises(BenchError, match=r"^nowhere: no such file; name a calibration\.json, or the folder"):
        read(Path("nowhere"))


# --- where it is found -----------------------------------------------------------------------------------------------


def test_without_any_none_is_found() -> None:
    assert found() is None


@pytest.mark.parametrize(
    ("place", "report"),
    [
        ("cal", "report"),
        ("reports/local/20260101T000000Z-cpu-calibration", "report"),
        ("../elsewhere/cal", "../elsewhere/report"),
        ("../elsewhere/cal", "../elsewhere/report/report.csv"),
        ("../elsewhere/cal", "../elsewhere/theirs.csv"),
    ],
)
def test_it_is_found_beside_a_report_and_where_runs_land(place: str, report: str) -> None:
    if report.endswith(".csv"):
        Path(report).parent.mkdir(parents=True)
        Path(report).touch()
    else:
        Path(report).mkdir(parents=True, exist_ok=True)
    file = keep(place)
    assert found(report) == file
    assert found("/nowhere/report", report) == file


def test_it_is_not_looked_for_elsewhere() -> None:
    keep("deep/down/cal")
    keep("../neighbour/cal")
    keep("../cal")
    assert found() is None


def test_the_newest_of_the_same_machine_counts_whatever_the_folders_are_called() -> None:
    keep("z", measured="2026-01-01T00:00:00Z")
    newest = keep("a", measured="2026-06-01T00:00:00Z")
    keep("m", measured="")
    keep("other", measured="2026-12-01T00:00:00Z", machine={"cpu": "Other CPU"})
    keep("nobody", measured="2026-12-01T00:00:00Z", machine={})
    assert found() == newest
    assert found(facts={"torch": ["2.13"]}) is None


def test_that_of_another_kind_of_device_does_not_count() -> None:
    keep("cal")
    assert found(devices=("cuda",)) is None
    assert found(devices=("cuda", "cpu")) is not None


def test_files_of_other_programs_are_passed_over_and_broken_ones_of_ours_are_not() -> None:
    Path("camera").mkdir()
    Path("camera/calibration.json").write_text('{"focal": 3}')
    Path("noise").mkdir()
    Path("noise/calibration.json").write_bytes(b"\xff\xfe\x00")
    assert found() is None
    file = keep("cal")
    assert found() == file
    file.write_text(dumps(CALIBRATION)[:200])
    with pytest.raises(BenchError, match=r"cal/calibration\.json: not a calibration of bench"):
        found()
