"""Reads our own reports, a folder or a bare ``report.csv``, for ``compare``: strict, fast, without torch."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from functools import lru_cache
from operator import itemgetter
from pathlib import Path
from sys import intern
from typing import get_args

from bench import metrics
from bench.analysis.determinism_words import worst
from bench.analysis.reported import REPEATS, Report, Row
from bench.errors import BenchError
from bench.model import Repeatability, Status
from bench.report.cells import FACTS, restore
from bench.report.table import A_NUMBER, Table, numbers, short
from bench.store import MANIFEST, RECORDS, read_environments, read_manifest

REPORT, REPRODUCIBILITY = "report.csv", "reproducibility.csv"

_NEEDED = (
    *("schema", "case", "metric", "unit", "better", "status", "reason"),
    *("value", "low", "high", "process_values", "version"),
)
VARIANCES = "process_variances"
_CHECKS = ("case", "level", "what", "verdict")
# A number that every Python reads; nobody will change the format a thousand million times.
_SCHEMA = re.compile(r"[1-9][0-9]{0,8}").fullmatch
_STATUSES = get_args(Status)
_VERDICTS: Sequence[str] = get_args(Repeatability)


def read(path: Path, name: str) -> Report:
    """A report folder or a bare ``report.csv``; ``name`` is what the comparison calls it.

    A folder also gives its environment, its plan and its determinism checks.  Raises BenchError naming file, line and
    column for what is no report.
    """
    folder = path if path.is_dir() else None
    file = path if folder is None else folder / REPORT
    if folder is not None and not file.is_file():
        cut_off = f"its run was cut off: bench report {folder} writes it from what was kept"
        known = cut_off if (folder / RECORDS).is_file() else "name the folder of a report"
        raise BenchError(f"{folder}: a folder without {REPORT}; {known}")
    rows, facts = _read_rows(file)
    measured = max(facts.pop("time", ("",)))
    if folder is None:
        return Report(name=name, file=str(file), rows=rows, facts=facts, measured=measured)
    for case, checks in _read_checks(folder / REPRODUCIBILITY).items():
        rows.setdefault(case, {}).update(checks)
    facts |= _facts_of(folder)
    report = Report(name=name, file=str(file), rows=rows, facts=facts, measured=measured)
    return _with_plan(report, folder)


def _with_plan(report: Report, folder: Path) -> Report:
    """With the cases of the manifest, and what of them is missing when the run did not come to its end."""
    if not os.path.lexists(folder / MANIFEST):  # a link that leads nowhere is there, and is refused when it is read
        unknown = f"{report.name} has no {MANIFEST}: whether all of its cases were measured is not known"
        return replace(report, notes=(unknown,))
    manifest = read_manifest(folder)
    planned = tuple(case.id for case in manifest.cases)
    known = len(report.rows.keys() & set(planned))
    early = f"the run ended early, with {known} of {len(planned)} cases"
    return replace(report, planned=planned, unfinished="" if manifest.finished else early)


def _facts_of(folder: Path) -> dict[str, tuple[str, ...]]:
    found: dict[str, set[str]] = {}
    for environment in read_environments(folder).values():
        for key, value in environment.facts.items():
            if value is not None and value != "":
                found.setdefault(key, set()).add(str(value))
    return {key: tuple(sorted(values)) for key, values in found.items()}


def _read_rows(file: Path) -> tuple[dict[str, dict[str, Row]], dict[str, tuple[str, ...]]]:
    rows: dict[str, dict[str, Row]] = {}
    table = Table(file, _NEEDED, "report.csv of ours")
    known = [column for column in (*FACTS, "time") if column in table.header]
    pick, facts_of = _picker(table.header, (*_NEEDED, VARIANCES)), _picker(table.header, known)
    seen: set[tuple[str, ...]] = set()
    last: tuple[str, ...] = ()
    for line, cells in table:
        row = _row(table, line, pick(cells))
        metrics_of_case = rows.setdefault(row.case, {})
        if row.metric in metrics_of_case:
            first = metrics_of_case[row.metric].line
            table.refuse(line, "metric", f"{short(row.metric)} of {short(row.case)} stands already on line {first}")
        metrics_of_case[row.metric] = row
        facts = facts_of(cells)
        if facts != last:  # most lines are of one machine, and comparing them is cheaper than hashing
            last = facts
            seen.add(facts)
    if not rows:
        raise BenchError(f"{file}: has no rows: nothing was measured")
    values = ({restore(facts[place]) for facts in seen} - {""} for place in range(len(known)))
    return rows, {key: tuple(sorted(found)) for key, found in zip(known, values, strict=True) if found}


def _picker(header: Sequence[str], columns: Sequence[str]) -> Callable[[Sequence[str]], tuple[str, ...]]:
    """Takes those of the columns that the header has out of a line of cells."""
    places = [header.index(column) for column in columns if column in header]
    return itemgetter(*places) if len(places) > 1 else lambda cells: tuple(cells[place] for place in places)


def _row(table: Table, line: int, cells: Sequence[str]) -> Row:
    schema, case, metric, unit, better, status, reason, value, low, high, process_values, version, *more = cells
    variances = "".join(more)
    try:
        common = _common(schema, metric, unit, better, status, reason, version)
    except _WrongError as wrong:
        table.refuse(line, *wrong.args)
    if status == "ok" and value == "":
        table.refuse(line, "value", "is empty though the status is ok")
    if variances and variances.count(";") != process_values.count(";"):
        table.refuse(line, VARIANCES, f"{short(variances)} has not one number for each of the process_values")
    together = numbers(f"{value};{process_values}") if process_values and unit != "sha256" else ()
    return Row(  # by place: that takes a third of the time, and reports have many
        intern(restore(case)),
        *common[1:6],
        together[0] if together else _value(table, line, value, unit),
        table.number(line, "low", low),
        table.number(line, "high", high),
        together[1:] or _numbers(table, line, "process_values", process_values),
        _numbers(table, line, VARIANCES, variances),
        common.version,
        line,
    )


class _WrongError(Exception):
    """Of a cell that cannot stand where it does: its column, and why."""


@lru_cache(maxsize=4096)  # what a report says again and again of its cases
def _common(schema: str, metric: str, unit: str, better: str, status: str, reason: str, version: str) -> Row:
    """A row with what these cells say, as they were before they were made safe for spreadsheets."""
    if not _SCHEMA(schema):
        raise _WrongError("schema", f"{short(schema)} is not a number of ours")
    if status not in _STATUSES:
        raise _WrongError("status", f"{short(status)} is none of {', '.join(_STATUSES)}")
    if better not in ("lower", "higher", ""):
        raise _WrongError("better", f"{short(better)} is neither lower nor higher nor empty")
    wanted = _unit(metric)
    if wanted is not None and unit != wanted:
        raise _WrongError("unit", f"{short(unit)}, where {short(metric)} is in {wanted!r}: SI base units only")
    metric, reason = restore(metric), restore(reason)
    return Row("", metric, unit, better, status, reason, version=version)  # type: ignore[arg-type]  # checked above


def _unit(metric: str) -> str | None:
    """The unit of a metric of ours; None for one that another version added."""
    try:
        return metrics.metric(metric).unit
    except BenchError:
        return None


def _value(table: Table, line: int, cell: str, unit: str) -> float | str | None:
    if unit == "sha256":  # 12e345678 is a hash, not a number
        return restore(cell) or None
    found = numbers(cell)
    if len(found) == 1:
        return found[0]
    return restore(cell) if cell and unit in metrics.TEXT_UNITS else table.number(line, "value", cell)


def _numbers(table: Table, line: int, column: str, cell: str) -> tuple[float, ...]:
    found = numbers(cell) if cell else ()
    if cell and not found:
        table.refuse(line, column, f"{short(cell)} is not a list of numbers separated by ';', each {A_NUMBER}")
    return found


def _read_checks(file: Path) -> dict[str, dict[str, Row]]:
    """The determinism checks as rows ``repeats/<level>/<what>``; of several processes the worst verdict counts."""
    found: dict[str, dict[str, Row]] = {}
    if not os.path.lexists(file):
        return found
    table = Table(file, _CHECKS, "reproducibility.csv of ours")
    pick = _picker(table.header, (*_CHECKS, "knobs"))  # earlier ones have no knobs
    for line, cells in table:
        case, level, what, verdict, *knobs = map(restore, pick(cells))
        if verdict not in _VERDICTS:
            table.refuse(line, "verdict", f"{short(verdict)} is none of {', '.join(_VERDICTS)}")
        metric = f"{REPEATS}{level}/{what}" + (f"[{knobs[0]}]" if any(knobs) else "")
        rows = found.setdefault(intern(case), {})
        if metric not in rows or worst(verdict, rows[metric].value) != rows[metric].value:  # type: ignore[arg-type]
            rows[metric] = Row(case=case, metric=metric, value=verdict, line=line)
    return found
