"""The report as tables: pandas DataFrames, and the CSV files that people mail, keep and compare."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from bench.analysis.determinism import knob_matrix
from bench.analysis.summary import Summary
from bench.errors import BenchError
from bench.metrics import TEXT_UNITS, metric
from bench.model import SCHEMA, Case, Estimate, Point
from bench.report.cells import FACTS, neutralise, restore
from bench.report.sentences import environment
from bench.report.table import Table, short
from bench.store import write_atomically

# Fixed by the documentation: other programs read these by name and position.
COLUMNS = (
    *("schema", "suite", "benchmark", "version", "case", "variant", "baseline", "point", "device", "metric", "unit"),
    *("better", "status", "reason", "value", "low", "high", "confidence", "processes", "process_values", "samples"),
    *("valid_fraction", "stop_reason", "ratio", "ratio_low", "ratio_high", "flags", "torch", "cuda", "cudnn"),
    *("driver", "gpu", "gpu_uuid", "cpu", "host", "python", "environment", "run", "time"),
)
MORE_COLUMNS = ("facts", "metronome", "reference", "process_variances")
VERDICT_COLUMNS = (
    *("suite", "benchmark", "case", "claim", "note", "metric", "verdict", "ratio", "low", "high", "margin"),
    *("processes", "evidence", "source"),
)
REPRODUCIBILITY_COLUMNS = (
    *("suite", "benchmark", "case", "variant", "level", "knobs", "what", "repeats", "differing", "verdict", "ulp"),
    *("relative", "reason"),
)
PRICE_COLUMNS = (
    *("suite", "benchmark", "case", "variant", "knobs", "phase", "status", "reason"),
    *("ratio", "ratio_low", "ratio_high", "processes", "process_values"),
)
_WHOLE = frozenset({"schema", "processes", "samples", "repeats", "differing"})
_NUMBERS = frozenset(
    {"low", "high", "confidence", "valid_fraction", "ratio", "ratio_low", "ratio_high", "margin", "ulp", "relative"}
)


def estimates_frame(summary: Summary) -> pd.DataFrame:
    """``report.csv`` as a DataFrame: one row per case x metric, cases without a number included.

    ``value`` is a float wherever the metric is a number; the metrics that are not (hashes) keep their text.
    """
    times = {record.case.id: record.time for record in summary.records}
    rows = [_estimate_row(estimate, _environment_cells(estimate, summary), times) for estimate in summary.estimates]
    run = {"run": summary.manifest.run, "time": summary.manifest.started}
    return _frame([{**run, **row} for row in rows], (*COLUMNS, *MORE_COLUMNS))


def _environment_cells(estimate: Estimate, summary: Summary) -> dict[str, str]:
    """Where it was measured; for what was not measured at all, where the run was."""
    known = summary.environments.get(estimate.environment) or environment(summary)
    return {
        **{name: _text(known.facts.get(name)) for name in FACTS},
        "environment": estimate.environment or (known.key if known.facts else ""),
    }


def _estimate_row(estimate: Estimate, where: Mapping[str, str], times: Mapping[str, str]) -> dict[str, Any]:
    case, what = estimate.case, metric(estimate.metric)
    copied = ("metric", "status", "reason", "value", "low", "high", "confidence", "samples", "valid_fraction")
    return {
        "schema": SCHEMA,
        **_case_cells(case),
        "baseline": case.baseline,
        "point": point_json(case.point),
        "device": case.device,
        "unit": what.unit,
        "better": what.better,
        **{name: getattr(estimate, name) for name in copied},
        **{name: getattr(estimate, name) for name in ("stop_reason", "ratio", "ratio_low", "ratio_high")},
        "processes": len(estimate.process_values),
        "process_values": _joined(estimate.process_values),
        "process_variances": _joined(estimate.process_variances),
        "flags": ";".join(f"{flag}={share!r}" for flag, share in sorted(estimate.flags.items())),
        "facts": "; ".join(estimate.facts),
        "version": estimate.version,
        **where,
        **({"time": times[case.id]} if case.id in times else {}),
    }


def verdicts_frame(summary: Summary) -> pd.DataFrame:
    """``verdicts.csv`` as a DataFrame: one row per claim x case x metric."""
    rows = [
        {
            **_case_cells(v.case),
            "claim": v.claim.text,
            "note": v.claim.note,
            "metric": v.metric,
            "verdict": v.decision,
            "ratio": v.ratio,
            "low": v.low,
            "high": v.high,
            "margin": v.claim.within,
            "processes": v.processes,
            "evidence": v.evidence,
            "source": v.claim.source,
        }
        for v in summary.verdicts
    ]
    return _frame(rows, VERDICT_COLUMNS)


def reproducibility_frame(summary: Summary) -> pd.DataFrame:
    """``reproducibility.csv`` as a DataFrame: one row per determinism check that was made."""
    copied = REPRODUCIBILITY_COLUMNS[4:]
    rows = [
        {**_case_cells(record.case), **{name: getattr(check, name) for name in copied}}
        for record in (*summary.records, *summary.turned)
        for check in record.checks
        if check.level != "numeric"
    ]
    return _frame(rows, REPRODUCIBILITY_COLUMNS)


def prices_frame(summary: Summary) -> pd.DataFrame:
    """``prices.csv`` as a DataFrame: the time of every case in every cell of the knob matrix against the default's."""
    rows = [
        {
            **_case_cells(turned.case),
            "knobs": turned.knobs,
            "phase": phase,
            "status": estimate.status,
            "reason": turned.reason or estimate.reason,
            **{name: getattr(estimate, name) for name in ("ratio", "ratio_low", "ratio_high")},
            "processes": len(estimate.process_values),
            "process_values": _joined(estimate.process_values),
        }
        for turned in knob_matrix(summary.turned)
        for phase, estimate in turned.prices.items()
    ]
    frame: pd.DataFrame = pd.DataFrame(rows, columns=list(PRICE_COLUMNS))
    return frame


def _case_cells(case: Case) -> dict[str, str]:
    return {"suite": case.suite, "benchmark": case.benchmark, "case": case.id, "variant": case.variant}


def point_json(point: Point) -> str:
    """A point as the JSON object of the ``point`` column."""
    return json.dumps(dict(point), separators=(",", ":"), ensure_ascii=False)


def _joined(values: Sequence[float]) -> str:
    return ";".join(repr(float(value)) for value in values)


def process_values(cell: str) -> tuple[float, ...]:
    """A ``process_values`` cell as numbers: ``frame["process_values"].map(process_values)``."""
    return tuple(float(part) for part in cell.split(";") if part)


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _frame(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    frame: pd.DataFrame = pd.DataFrame(list(rows), columns=list(columns), dtype=object)
    for name in frame.columns:
        if name in _WHOLE:
            frame[name] = pd.to_numeric(frame[name]).astype("Int64")
        elif name in _NUMBERS:
            frame[name] = pd.to_numeric(frame[name]).astype("float64")
        elif name == "value":
            frame[name] = _value_column(frame[name])
    return frame


def _value_column(cells: pd.Series[Any]) -> pd.Series[Any]:
    """Floats, when every metric in it is a number; else an object column of floats and texts."""
    numbers = pd.to_numeric(cells, errors="coerce").astype("float64")
    is_text = numbers.isna() & cells.notna()
    return cells.where(is_text, numbers.astype(object)) if bool(is_text.any()) else numbers


def write_csv(frame: pd.DataFrame, path: str | Path) -> None:
    """Write a frame as CSV: UTF-8, every digit, empty for missing, no cell a spreadsheet would run; all or nothing."""
    safe = frame.copy()
    for name in safe.columns:
        if not pd.api.types.is_numeric_dtype(safe[name]):
            safe[name] = safe[name].map(neutralise)
    text = safe.to_csv(index=False, lineterminator="\n")
    write_atomically(Path(path), text.encode("utf-8", errors="backslashreplace").decode("utf-8"))


def load(path: str | Path) -> pd.DataFrame:
    """Read a report, a folder or a ``report.csv``, into a DataFrame with the types it was written with.

    Unknown columns are kept.  ``process_values`` stays text, see ``process_values`` in this module.
    Raises BenchError naming file, line and column when the file is no report.
    """
    path = Path(path)
    table = Table(path / "report.csv" if path.is_dir() else path, COLUMNS, "report.csv")
    rows = [_typed_cells(table, line, dict(zip(table.header, cells, strict=True))) for line, cells in table]
    newest = max((row["schema"] or 0 for row in rows), default=0)
    if newest > SCHEMA:
        raise BenchError(f"{table.file}: schema {newest:g} is newer than this program reads ({SCHEMA}); upgrade it")
    return _frame(rows, table.header)


def _typed_cells(table: Table, line: int, row: Mapping[str, str]) -> dict[str, Any]:
    """A line as numbers and texts; hashes are left as they are."""
    numbers = _WHOLE | _NUMBERS | ({"value"} if row["unit"] not in TEXT_UNITS else set())
    found = {name: table.number(line, name, cell) if name in numbers else restore(cell) for name, cell in row.items()}
    for name in _WHOLE & found.keys():
        if (found[name] or 0) % 1:
            table.refuse(line, name, f"{short(row[name])} is not a whole number")
    return found | {"value": None if found["value"] == "" else found["value"]}
