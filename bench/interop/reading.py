"""Reads whatever ``compare`` is given: our folders and CSV files, and the results of other tools."""

from __future__ import annotations

import codecs
from pathlib import Path

from bench.analysis.reported import Report
from bench.errors import BenchError
from bench.interop import foreign, ours
from bench.store import cannot_read

_ENOUGH_BYTES = 4096
_GZIP = b"\x1f\x8b"


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
