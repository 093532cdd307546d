"""Many reports are read by several processes: with the same result, whatever becomes of them."""

from __future__ import annotations

import multiprocessing
import os
import sys
import threading
from multiprocessing.connection import Connection
from pathlib import Path

import pytest
from bad_input import TIME
from compared import CASE, exact, write

from bench.errors import BenchError
from bench.interop import reading

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="reports are read by forked processes on Linux alone")


@pytest.fixture
def three_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_LARGE_BYTES", 1)
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {0, 1, 2})
    monkeypatch.setattr(threading, "active_count", lambda: 1)


@pytest.fixture
def files(tmp_path: Path) -> list[Path]:
    return [write(tmp_path / f"{n}.csv", TIME, exact(float(n + 1))) for n in range(7)]


def nobody(*_: object) -> None:
    raise AssertionError("a process was started")


@pytest.mark.usefixtures("three_cores")
@pytest.mark.parametrize("number", range(8))
def test_several_processes_read_what_one_reads(number: int, files: list[Path]) -> None:
    files = files[:number]
    assert reading.read_all(files) == [reading.read(file) for file in files]


@pytest.mark.usefixtures("three_cores")
def test_the_others_are_read_elsewhere(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    here: list[Path] = []

    def noted(path: Path) -> reading.Report:
        here.append(path)
        return read(path)

    read = reading.read
    monkeypatch.setattr(reading, "read", noted)
    found = reading.read_all(files)
    assert [report.rows[CASE]["memory/peak/forward"].value for report in found] == [1, 2, 3, 4, 5, 6, 7]
    assert here == files[::3]


@pytest.mark.usefixtures("three_cores")
@pytest.mark.parametrize("broken", [(0, 1), (1, 3), (2, 3), (5, 6)])
def test_the_first_that_cannot_be_read_is_told(broken: tuple[int, int], files: list[Path]) -> None:
    for place in broken:
        files[place].write_text("no,report\n1,2\n", encoding="utf-8")
    with pytest.raises(BenchError) as told:
        reading.read_all(files)
    assert str(told.value).startswith(str(files[broken[0]]))


@pytest.mark.usefixtures("three_cores")
@pytest.mark.parametrize("told", [b"", b"\0", b"\0\0\1\0half of it"])
def test_what_a_killed_process_was_to_read_is_read_here(
    told: bytes, files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    def killed(_: Connection, send: Connection, __: object) -> None:
        os.write(send.fileno(), told)
        os._exit(9)

    monkeypatch.setattr(reading, "_send", killed)
    assert reading.read_all(files) == [reading.read(file) for file in files]


@pytest.mark.usefixtures("three_cores")
def test_what_no_process_can_be_made_for_is_read_here(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def refused() -> int:
        raise BlockingIOError(11, "Resource temporarily unavailable")

    monkeypatch.setattr(os, "fork", refused)
    assert reading.read_all(files) == [reading.read(file) for file in files]


@pytest.mark.usefixtures("three_cores")
@pytest.mark.parametrize("where", [(threading, "active_count", 2), (multiprocessing, "parent_process", "a pool's")])
def test_in_threads_and_pools_everything_is_read_here(
    where: tuple[object, str, object], files: list[Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    of, name, told = where
    monkeypatch.setattr(of, name, lambda: told)
    monkeypatch.setattr(reading, "_reader", nobody)
    assert len(reading.read_all(files)) == 7


def test_small_reports_are_read_here(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reading, "_reader", nobody)
    assert len(reading.read_all(files)) == 7


@pytest.mark.usefixtures("three_cores")
def test_one_core_reads_everything_here(files: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: {1})
    monkeypatch.setattr(reading, "_reader", nobody)
    assert len(reading.read_all(files)) == 7
    with pytest.raises(BenchError, match=r"none\.csv"):
        reading.read_all([*files, files[0].parent / "none.csv"])
