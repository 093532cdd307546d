from __future__ import annotations

import dataclasses
import errno
import json
import math
import os
import signal
import subprocess
import sys
import textwrap
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from builders import case, environment, manifest, record, samples
from hypothesis import given
from hypothesis import strategies as st

from bench.errors import BenchError
from bench.model import SCHEMA, Case, Check, Claim, Environment, Manifest, Record
from bench.store import (
    ENVIRONMENT,
    MANIFEST,
    RECORDS,
    Store,
    from_json,
    read_environments,
    read_manifest,
    read_records,
    to_json,
    write_atomically,
)

FULL = record(
    "bias",
    {"forward": [1e-3, 2e-3], "backward": [3e-3, 4e-3]},
    metronomes={"hash": (1.0, 2.0)},
    values={"memory/peak/forward": 4096.0, "bits": "ab12"},
    checks=(Check(what="output", level="numeric", verdict="close", ulp=2.0),),
    warnings=("something",),
    time="2026-01-02T03:04:05Z",
)


def fill(folder: Path, *records: Record) -> None:
    with closing(Store(folder)) as store:
        for one in records:
            store.append(one)


def through_json(value: Any) -> Any:
    return from_json(type(value), json.loads(json.dumps(to_json(value), allow_nan=False)))


def test_a_record_comes_back_as_it_was(tmp_path: Path) -> None:
    fill(tmp_path, FULL)
    assert read_records(tmp_path) == ((FULL,), 0)


@pytest.mark.parametrize(
    "value",
    [
        case(point={"n": 4, "layout": "nhwc", "flag": True, "nothing": None, "share": 0.5}),
        Claim(kind="lower", metric="time", of=("a", "b"), at=(("n", 4),), on="cuda", within=0.02),
        manifest(None, Claim(kind="close", metric="output"), stops={"g": "precise"}, ceilings={"bytes": 1e10}),
        environment(gpu=None, ecc=True),
    ],
)
def test_every_noun_that_is_kept_comes_back_as_it_was(value: Case | Claim | Manifest | Environment) -> None:
    assert through_json(value) == value


@given(st.lists(st.floats(), max_size=4))
def test_numbers_that_json_lacks_come_back(seconds: list[float]) -> None:
    back = through_json(samples(seconds)).seconds
    assert [x if x == x else "nan" for x in back] == [x if x == x else "nan" for x in seconds]


def test_a_name_that_looks_like_a_number_stays_a_name() -> None:
    named = case("nan", point={"mode": "inf"})
    assert through_json(named) == named


@pytest.mark.parametrize("strange", [math.nan, math.inf, -math.inf])
def test_a_reading_that_is_no_number_comes_back_as_what_it_was(strange: float) -> None:
    odd = dataclasses.replace(FULL, values={"memory/peak/forward": strange, "bits/output": "ab12"})
    assert repr(through_json(odd).values) == repr(odd.values)


def test_a_record_is_on_disk_as_soon_as_it_is_appended(tmp_path: Path) -> None:
    with closing(Store(tmp_path)) as store:
        store.append(FULL)
        assert read_records(tmp_path) == ((FULL,), 0)


def test_records_are_one_line_each_that_any_tool_reads(tmp_path: Path) -> None:
    fill(tmp_path, FULL, record("no_bias", [math.nan]))
    lines = (tmp_path / RECORDS).read_text(encoding="utf-8").splitlines()
    assert [json.loads(line)["case"]["variant"] for line in lines] == ["bias", "no_bias"]


@pytest.mark.parametrize("cut", [1, 10, 200])
def test_a_line_cut_short_costs_only_its_own_record(tmp_path: Path, cut: int) -> None:
    fill(tmp_path, FULL, FULL)
    path = tmp_path / RECORDS
    path.write_bytes(path.read_bytes()[:-cut])
    whole, broken = ((FULL, FULL), 0) if cut == 1 else ((FULL,), 1)
    assert read_records(tmp_path) == (whole, broken)


def test_a_resumed_run_does_not_write_onto_a_line_cut_short(tmp_path: Path) -> None:
    fill(tmp_path, FULL, FULL)
    path = tmp_path / RECORDS
    path.write_bytes(path.read_bytes()[:-100])
    fill(tmp_path, FULL)
    assert read_records(tmp_path) == ((FULL, FULL), 1)


NO_RECORDS = {
    "{}": "{}",
    "a list": "[]",
    "null": "null",
    "a number": "3",
    "no case": '{"schema": 1}',
    "a schema in words": '{"schema": "x"}',
    "a schema without end": '{"schema": Infinity}',
    "a schema of 5,000 digits": f'{{"schema": {"1" * 5000}}}',
    "a case that is none": '{"schema": 1, "case": 3}',
    "nested too deeply": "[" * 100_000 + "]" * 100_000,
    "NUL bytes": "\0\0",
}


@pytest.mark.parametrize("line", NO_RECORDS.values(), ids=NO_RECORDS.keys())
def test_lines_that_are_no_records_are_counted(tmp_path: Path, line: str) -> None:
    fill(tmp_path, FULL)
    with open(tmp_path / RECORDS, "a", encoding="utf-8") as file:
        file.write(line + "\n\n")
    assert read_records(tmp_path) == ((FULL,), 1)


def spoilt(value: Any, place: tuple[str | int, ...], by: object) -> Any:
    """The JSON of a model value with something else at one place."""
    data = inner = json.loads(json.dumps(to_json(value)))
    for step in place[:-1]:
        inner = inner[step]
    inner[place[-1]] = by
    return data


OF_ANOTHER_KIND: list[tuple[tuple[str | int, ...], object]] = [
    (("status",), "fine"),
    (("process",), "x"),
    (("process",), None),
    (("case", "point"), {"c": 1}),
    (("case", "point"), [["c", [1]]]),
    (("samples", 0, "seconds"), "0.1"),
    (("samples", 0, "seconds", 0), "x"),
    (("samples", 0, "seconds", 0), [1.0]),
    (("samples", 0, "flags", 0), ["tired"]),
    (("metronomes", "hash"), 1.0),
    (("values", "memory/peak/forward"), None),
    (("checks", 0, "ulp"), "2"),
    (("warnings",), [3]),
]


@pytest.mark.parametrize(("place", "by"), OF_ANOTHER_KIND)
def test_a_record_with_a_value_of_another_kind_is_none(
    tmp_path: Path, place: tuple[str | int, ...], by: object
) -> None:
    fill(tmp_path, FULL)
    with open(tmp_path / RECORDS, "a", encoding="utf-8") as file:
        file.write(json.dumps(spoilt(FULL, place, by)) + "\n")
    assert read_records(tmp_path) == ((FULL,), 1)


def test_whole_numbers_stand_for_any() -> None:
    assert from_json(Record, spoilt(FULL, ("samples", 0, "seconds", 0), 1)).samples[0].seconds[0] == 1


KILLED = """
    import os, signal, sys
    sys.path[:0] = [{root!r}, {tests!r}]
    from pathlib import Path
    from builders import record
    from bench.store import Store

    store = Store(Path({folder!r}))
    for number in range(1, 6):
        store.append(record("bias", [1e-3] * 200, process=number))
    store._file.write('{{"schema": 1, "case": {{"suite": "co')
    store._file.flush()
    os.kill(os.getpid(), signal.SIGKILL)
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="no such signal on Windows")
def test_a_killed_process_leaves_all_that_it_appended(tmp_path: Path) -> None:
    tests = Path(__file__).parent
    script = textwrap.dedent(KILLED).format(root=str(tests.parent), tests=str(tests), folder=str(tmp_path))
    died = subprocess.run([sys.executable, "-c", script], check=False)
    assert died.returncode == -signal.SIGKILL
    records, broken = read_records(tmp_path)
    assert [one.process for one in records] == [1, 2, 3, 4, 5]
    assert broken == 1


def test_what_an_older_schema_did_not_know_takes_its_default(tmp_path: Path) -> None:
    data = to_json(FULL)
    for later in ("checks", "warnings", "metronomes", "values"):
        del data[later]
    (tmp_path / RECORDS).write_text(json.dumps(data) + "\n", encoding="utf-8")
    ((old,), broken) = read_records(tmp_path)
    assert old == dataclasses.replace(FULL, checks=(), warnings=(), metronomes={}, values={})
    assert broken == 0


def test_a_field_that_nobody_knows_any_more_is_passed_over(tmp_path: Path) -> None:
    (tmp_path / RECORDS).write_text(json.dumps({**to_json(FULL), "gone": 1}) + "\n", encoding="utf-8")
    assert read_records(tmp_path) == ((FULL,), 0)


def test_a_newer_schema_is_refused_by_name_and_line(tmp_path: Path) -> None:
    lines = [to_json(FULL), {**to_json(FULL), "schema": SCHEMA + 1}]
    (tmp_path / RECORDS).write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    with pytest.raises(BenchError, match=rf"records\.jsonl:2: schema {SCHEMA + 1} is newer than this bench"):
        read_records(tmp_path)


def test_records_of_the_first_schema_still_load() -> None:
    records, broken = read_records(Path(__file__).parent / "golden" / "schema1")
    assert broken == 0
    assert [(one.case.id, one.process, one.schema) for one in records] == [
        ("conv/bias_before_bn[c=16,n=4]/bias@cpu", 0, 1),
        ("conv/bias_before_bn[c=16,n=4]/bias@cpu", 1, 1),
    ]
    assert records[1].samples[0].seconds == (0.001, 0.002)


def test_a_folder_that_is_no_report_is_named(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"holds no records\.jsonl: name the folder of a report"):
        read_records(tmp_path)


def test_the_manifest_comes_back_as_it_was(tmp_path: Path) -> None:
    with closing(Store(tmp_path)) as store:
        store.write_manifest(manifest())
    assert read_manifest(tmp_path) == manifest()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", r"manifest\.json: not JSON \("),
        ("{}", r"manifest\.json: not a manifest of bench"),
        ("[]", "not a manifest"),
        (
            json.dumps(spoilt(manifest(), ("cases", 0, "variant"), ["x"])),
            r"not a manifest of bench \(cases\[0\]\.variant must be a text, not \[\"x\"\]\)",
        ),
        (
            json.dumps(spoilt(manifest(), ("command",), "bench run")),
            r"not a manifest of bench \(command must be a list\)",
        ),
        ("[" * 100_000 + "]" * 100_000, r"manifest\.json: not JSON \(.*\); is the file cut off\?"),
        ("1" * 5000, r"manifest\.json: not"),
    ],
)
def test_a_manifest_that_cannot_be_read_is_named(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / MANIFEST).write_text(text, encoding="utf-8")
    with pytest.raises(BenchError, match=message):
        read_manifest(tmp_path)


def test_environments_with_a_value_of_another_kind_are_refused(tmp_path: Path) -> None:
    data = {"environments": {"k": {"facts": {"torch": ["2.13"]}}}}
    (tmp_path / ENVIRONMENT).write_text(json.dumps(data), encoding="utf-8")
    with pytest.raises(BenchError, match=r"environment\.json: not the environments .*\(facts\.torch must"):
        read_environments(tmp_path)


def test_environments_that_cannot_be_read_are_not_taken_for_none(tmp_path: Path) -> None:
    assert read_environments(tmp_path) == {}
    (tmp_path / ENVIRONMENT).symlink_to(ENVIRONMENT)
    with pytest.raises(BenchError, match=r"cannot read .*environment\.json: Too many levels of symbolic links"):
        read_environments(tmp_path)


def test_records_that_the_system_does_not_give_are_one_sentence(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refused(*_: object, **__: object) -> None:
        raise PermissionError(errno.EACCES, "Permission denied")

    fill(tmp_path, FULL)
    monkeypatch.setattr("builtins.open", refused)
    with pytest.raises(BenchError, match=r"records\.jsonl: cannot be read \(Permission denied\)"):
        read_records(tmp_path)


def test_a_missing_manifest_is_named(tmp_path: Path) -> None:
    with pytest.raises(BenchError, match=r"cannot read .*manifest\.json: No such file"):
        read_manifest(tmp_path)


def test_environments_gather_under_their_keys(tmp_path: Path) -> None:
    one, other = environment(torch="2.13"), environment(torch="2.12")
    with closing(Store(tmp_path)) as store:
        assert read_environments(tmp_path) == {}
        for found in (one, other, one):
            store.add_environment(found)
    assert read_environments(tmp_path) == {one.key: one, other.key: other}


def test_a_file_is_written_whole_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "report.md"
    path.write_text("old", encoding="utf-8")

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(
        BenchError, match=r"^cannot write .*report\.md: No space left on device; free some space or name"
    ):
        write_atomically(path, "new")
    assert path.read_text(encoding="utf-8") == "old"
    assert os.listdir(tmp_path) == ["report.md"]


def test_an_atomic_file_has_the_usual_permissions_and_its_text_untouched(tmp_path: Path) -> None:
    path, plain = tmp_path / "a", tmp_path / "b"
    write_atomically(path, "é\r\n\n")
    plain.touch()
    assert path.read_bytes() == "é\r\n\n".encode()
    assert path.stat().st_mode == plain.stat().st_mode


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")
def test_a_full_disk_is_one_sentence(tmp_path: Path) -> None:
    store = Store(tmp_path)
    store._file.close()
    store._file = open("/dev/full", "a", encoding="utf-8")  # noqa: SIM115  closed below
    with pytest.raises(BenchError, match=r"^cannot write .*records\.jsonl: No space left on device; free some space"):
        store.append(FULL)
    with pytest.raises(OSError, match="No space"):
        store.close()


def test_a_folder_that_cannot_be_made_is_one_sentence(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(
        BenchError, match=r"^cannot write .*: Not a directory; free some space or name another --output$"
    ):
        Store(tmp_path / "file" / "report")
