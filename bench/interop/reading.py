"""Reads whatever ``compare`` is given: our folders and CSV files, and the results of other tools."""

from __future__ import annotations

import codecs
import multiprocessing
import os
import sys
import threading
import warnings
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from bench.analysis.reported import Report
from bench.errors import BenchError
from bench.interop import foreign, ours
from bench.store import cannot_read

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

_ENOUGH_BYTES = 4096
_GZIP = b"\x1f\x8b"
# What is smaller is read sooner than another process is made and has sent what it read.
_LARGE_BYTES = 8 << 20


def read_all(paths: Sequence[str | Path]) -> list[Report]:
    """Every report, in order; large ones are read on all cores: for ``compare`` it is half of the work.

    Raises BenchError of the first that cannot be read.
    """
    shares = 1
    # What other threads held, a fork would hold for ever: not in a notebook; nor in a pool, that has the cores.
    alone = threading.active_count() == 1 and multiprocessing.parent_process() is None
    if sys.platform == "linux" and alone and sum(map(_size, paths)) >= _LARGE_BYTES:
        shares = min(len(paths), len(os.sched_getaffinity(0)))
    mine, *theirs = (paths[share::shares] for share in range(shares))
    readers = list(map(_reader, theirs))
    parts = [list(map(_tried, mine)), *map(_received, readers, theirs)]
    found = [parts[n % shares][n // shares] for n in range(len(paths))]
    for failure in found:
        if isinstance(failure, BenchError):
            raise failure
    return [report for report in found if isinstance(report, Report)]


def _reader(paths: Sequence[str | Path]) -> Connection:
    """What a process of its own reads."""
    ends = receive, send = multiprocessing.Pipe(duplex=False)
    with warnings.catch_warnings(), suppress(OSError):  # where no process can be made, nothing is sent
        warnings.simplefilter("ignore", DeprecationWarning)  # of NumPy's threads: nothing here waits for them
        multiprocessing.get_context("fork").Process(target=_send, args=(*ends, paths), daemon=True).start()
    send.close()
    return receive


def _send(receive: Connection, send: Connection, paths: Sequence[str | Path]) -> None:
    receive.close()  # so that nothing waits for a reader that is gone
    with suppress(KeyboardInterrupt, BrokenPipeError):  # who asked ends, and says so
        send.send(list(map(_tried, paths)))


def _received(reader: Connection, paths: Sequence[str | Path]) -> list[Report | BenchError]:
    try:
        found: list[Report | BenchError] = reader.recv()
    except (EOFError, OSError):  # it was not made, or killed before it could tell or while it did
        found = list(map(_tried, paths))
    return found


def _tried(path: str | Path) -> Report | BenchError:
    try:
        return read(path)
    except BenchError as error:
        return error


def _size(path: str | Path) -> int:
    """In bytes; 0 for what is not there."""
    with suppress(OSError):
        return os.path.getsize(Path(path, ours.REPORT) if os.path.isdir(path) else path)
    return 0


def read(path: str | Path) -> Report:
    """A report folder, a ``report.csv``, or another tool's file, told apart by how it begins.

    Raises BenchError with file, line and column for what cannot be read as any of them.
    """
    name, path = str(path), Path(path)
    try:
        if path.is_dir():
            return ours.read(path, name)
        start = _start(path)
        if start.startswith(_GZIP):
            raise BenchError(f"{path}: is compressed; unpack it first (gunzip), and name what comes out")
        if start.removeprefix(codecs.BOM_UTF8).lstrip()[:1] in (b"{", b"["):
            return foreign.read_json(path, name)
        if _is_operator_benchmark(start):
            return foreign.read_operator_benchmark(path, name)
        return ours.read(path, name)
    except OSError as error:
        raise cannot_read(path, error) from None
    except RecursionError:
        raise BenchError(f"{path}: nested too deeply; this is no report") from None


def _start(path: Path) -> bytes:
    with open(path, "rb") as file:
        return file.read(_ENOUGH_BYTES)


def _is_operator_benchmark(start: bytes) -> bool:
    first = start.decode("utf-8-sig", errors="replace").partition("\n")[0]
    return set(foreign.OPERATOR_COLUMNS) <= {cell.strip('"') for cell in first.rstrip("\r").split(",")}
