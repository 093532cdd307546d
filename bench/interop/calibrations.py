"""Calibrations as files: what `bench calibrate` writes, and what a later report of the same machine finds of it."""

from __future__ import annotations

import json
import re
import typing
from collections.abc import Collection, Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING

from bench.analysis.rates import SCHEMA, Calibration, quoted
from bench.errors import BenchError
from bench.store import MisfitError, cannot_read, from_json, to_json

if TYPE_CHECKING:
    from bench.analysis.summary import Summary

FILE = "calibration.json"
# Where runs and calibrations land when the user names no place.
LOCAL = Path("reports/local")
# Other programs call files so too; ours begin with this.
_FIRST_FIELD = '"asked_floor"'

# As JSON's extension has it, and as our own records do: where it got in, no gate would be left.
_NO_NUMBER = re.compile(r'NaN|-?Infinity|"-?(?:nan|inf)"')


def dumps(calibration: Calibration) -> str:
    """As JSON."""
    return json.dumps(to_json(calibration), indent=1, sort_keys=True, allow_nan=False) + "\n"


def loads(text: str, where: str) -> Calibration:
    """The inverse of ``dumps``.  Raises BenchError naming ``where``, and the field whose value cannot be."""
    try:
        data = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BenchError(f"{where}: not a calibration of bench ({error})") from None
    schema = data.get("schema") if isinstance(data, dict) else None
    if isinstance(schema, int) and schema > SCHEMA:
        raise BenchError(f"{where}: schema {schema} is of a later version of bench: upgrade to read it")
    if no_number := _NO_NUMBER.search(text):
        raise BenchError(f"{where}: not a calibration of bench: {no_number[0]} is no number; calibrate again")
    try:
        return typing.cast(Calibration, from_json(Calibration, data))
    except MisfitError as wrong:
        raise BenchError(f"{where}: not a calibration of bench: {wrong}; calibrate again") from None


def read(path: Path) -> Calibration:
    """A calibration's file, or the folder that holds it.  Raises BenchError naming the file."""
    file = path / FILE if path.is_dir() else path
    if not file.exists():
        raise BenchError(f"{file}: no such file; name a {FILE}, or the folder that bench calibrate wrote")
    return loads(_text(file), str(file))


def find(
    reports: Iterable[Path], facts: Mapping[str, Collection[str]], devices: Collection[str]
) -> tuple[Path, Calibration] | None:
    """The newest calibration of a machine with these facts and a device of these kinds, and its file.

    It is looked for in the folders beside ``reports`` and in those of ``reports/local``.  Raises BenchError for one of
    ours that cannot be read.
    """
    places = {LOCAL.resolve(), *(place for path in reports for place in _beside(path.resolve()))}
    files = sorted({file for place in places for file in place.glob(f"*/{FILE}")})
    texts = {file: _text(file) for file in files if file.is_file()}
    known = [(file, loads(text, str(file))) for file, text in texts.items() if _FIRST_FIELD in text]
    same = [pair for pair in known if not differing(pair[1], facts) and _fits(pair[1], facts, devices)]
    return max(same, key=lambda pair: (pair[1].measured, str(pair[0])), default=None)


def _beside(report: Path) -> tuple[Path, ...]:
    """Where the neighbours of a report are; a bare file may lie in its report's folder or be a neighbour itself."""
    return (report.parent,) if report.is_dir() else (report.parent, report.parent.parent)


def differing(calibration: Calibration, facts: Mapping[str, Collection[str]]) -> list[str]:
    """The facts of the machine that are known of both and differ."""
    return [key for key, value in calibration.machine.items() if key in facts and str(value) not in facts[key]]


def _fits(calibration: Calibration, facts: Mapping[str, Collection[str]], devices: Collection[str]) -> bool:
    """Whether anything is known of both machines, and the device is of the same kind."""
    kinds = {case.case.rpartition("@")[2] for case in calibration.cases}
    return bool(calibration.machine.keys() & facts.keys()) and not kinds.isdisjoint(devices)


def quote(folder: Path, summary: Summary) -> str:
    """What the report of a folder says of its machine's calibration; empty where there is none."""
    facts: dict[str, set[str]] = {}
    for environment in summary.environments.values():
        for key, value in environment.facts.items():
            facts.setdefault(key, set()).add(str(value))
    found = find([folder], facts, {case.device for case in summary.manifest.cases})
    return quoted(found[1]) if found else ""


def _text(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8", errors="replace")
    except OSError as error:
        raise cannot_read(file, error) from None
