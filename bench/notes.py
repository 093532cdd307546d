"""Where the notes say what claims claim: ``notes.csv`` beside a suite's files, or beside the suite's folder."""

from __future__ import annotations

import csv
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

from bench.errors import SuiteError
from bench.model import Claim

FILE = "notes.csv"
COLUMNS = ["note", "source", "says"]


def cited(claims: Iterable[Claim], suite_file: Path) -> tuple[Claim, ...]:
    """The claims of a suite file, each with the source of its note where that is listed.  Raises SuiteError."""
    folder = suite_file.parent
    listed = next((path for path in (folder / FILE, folder.parent / FILE) if path.is_file()), None)
    sources = read(listed) if listed is not None else {}
    return tuple(replace(claim, source=sources.get(claim.note, "")) for claim in claims)


def read(path: Path) -> dict[str, str]:
    """Note's id -> file and line (``notes/yolo.md:5``).  Raises SuiteError with the line that is wrong."""
    try:
        with open(path, newline="", encoding="utf-8-sig") as file:
            rows = list(csv.reader(file, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        raise SuiteError(f"{path}: cannot be read ({error}): it is CSV in UTF-8, {','.join(COLUMNS)}") from None
    if not rows or rows[0] != COLUMNS:
        raise SuiteError(f"{path}:1: begin with the line {','.join(COLUMNS)}")
    found: dict[str, str] = {}
    for line, row in enumerate(rows[1:], start=2):
        if len(row) != len(COLUMNS) or not row[0] or not row[1]:
            raise SuiteError(f"{path}:{line}: write a note's id, its file and line, and what it says, with two commas")
        if row[0] in found:
            raise SuiteError(f"{path}:{line}: {row[0]} stands above already")
        found[row[0]] = row[1]
    return found
