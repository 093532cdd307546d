"""The report as tables: pandas DataFrames, and the CSV files that people mail, keep and compare."""

from __future__ import annotations

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from bench.analysis.summary import Summary
from bench.errors import BenchError
from bench.metrics import metric
from bench.model import SCHEMA, Case, Estimate, Point
from bench.report.cells import neutralise, restore
from bench.report.sentences import environment
from bench.store import write_atomically

# Fixed by the documentation: other programs read these by name and position.
COLUMNS = (
    *("schema", "suite", "benchmark", "version", "case", "variant", "baseline", "point", "device", "metric", "unit"),
    *("better", "status", "reason", "value", "low", "high", "confidence", "processes", "process_values", "samples"),
    *("valid_fraction", "stop_reason", "ratio", "ratio_low", "ratio_high", "flags", "torch", "cuda", "cudnn"),
    *("driver", "gpu", "gpu_uuid", "cpu", "host", "python", "environment", "run", "time"),
)
MORE_COLUMNS = ("facts", "metronome")
VERDICT_COLUMNS = (
    *("suite", "benchmark", "case", "claim", "note", "metric", "verdict", "ratio", "low", "high", "margin"),
    *("processes", "evidence"),
)
REPRODUCIBILITY_COLUMNS = (
    *("suite", "benchmark", "case", "variant", "level", "knobs", "what", "repeats", "differing", "verdict", "ulp"),
    *("relative", "reason"),
)
_ENVIRONMENT = ("torch", "cuda", "cudnn", "driver", "gpu", "gpu_uuid", "cpu", "host", "python", "metronome")
_WHOLE = frozenset({"schema", "processes", "samples", "repeats", "differing"})
_NUMBERS = frozenset(
    {"low", "high", "confidence", "valid_fraction", "ratio", "ratio_low", "ratio_high", "margin", "ulp", "relative"}
)

_TEXT_UNITS = ("sha256", "")  # of values that are no numbers
_LONGEST_LINE = 4 << 20  # bytes; a row of 40 processes is about 2 KiB, so this is another kind of file


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
        **{name: _text(known.facts.get(name)) for name in _ENVIRONMENT},
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
        "process_values": ";".join(repr(float(v)) for v in estimate.process_values),
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


def _case_cells(case: Case) -> dict[str, str]:
    return {"suite": case.suite, "benchmark": case.benchmark, "case": case.id, "variant": case.variant}


def point_json(point: Point) -> str:
    """A point as the JSON object of the ``point`` column."""
    return json.dumps(dict(point), separators=(",", ":"), ensure_ascii=False)


def process_values(cell: str) -> tuple[float, ...]:
    """A ``process_values`` cell as numbers: ``frame["process_values"].map(process_values)``."""
    return tuple(float(part) for part in cell.split(";") if part)


def _text(value: object) -> str:
    return "" if value is None else str(value)


def _frame(rows: Sequence[Mapping[str, Any]], columns: Sequence[str]) -> pd.DataFrame:
    frame = pd.DataFrame(list(rows), columns=list(columns), dtype=object)
    return _typed(frame)


def _typed(frame: pd.DataFrame) -> pd.DataFrame:
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
    file = path / "report.csv" if path.is_dir() else path
    _check_bytes(file)
    cells, ends = _read_cells(file)
    missing = [name for name in COLUMNS if name not in cells.columns]
    if missing:
        raise BenchError(f"{file}, line 1: no column {missing[0]!r}{_other_format(cells)}; give a report.csv")
    return _restore_types(cells, ends, file)


def _check_bytes(file: Path) -> None:
    """Refuse what is not text of ours before a parser sees it, with the line it stands on."""
    try:
        for number, line in enumerate(_lines(file), start=1):
            if len(line) >= _LONGEST_LINE:
                raise BenchError(f"{file}, line {number}: longer than 4 MiB; this is no report.csv")
            if b"\0" in line:
                raise BenchError(f"{file}, line {number}: NUL byte; save the file as UTF-8 text")
            line.decode("utf-8")
    except UnicodeDecodeError:
        raise BenchError(f"{file}, line {number}: not UTF-8; save the file as UTF-8 text") from None
    except FileNotFoundError:
        raise BenchError(f"{file}: no such file; give a report folder or its report.csv") from None
    except (OSError, RuntimeError) as error:
        reason = getattr(error, "strerror", None) or error
        raise BenchError(f"{file}: cannot be read ({reason})") from None


def _lines(file: Path) -> Iterator[bytes]:
    with file.open("rb") as source:
        yield from iter(lambda: source.readline(_LONGEST_LINE), b"")


def _read_cells(file: Path) -> tuple[pd.DataFrame, list[int]]:
    """All cells as text, and the line of the file that each row ends on."""
    rows: list[list[str]] = []
    ends: list[int] = []
    with file.open(encoding="utf-8", newline="") as text:
        reader = csv.reader(text, strict=True)
        try:
            header = next(reader, None)
            if header is None:
                raise BenchError(f"{file}: empty; give a report.csv with its header line")
            for row in reader:
                if len(row) != len(header):
                    raise BenchError(f"{file}, line {reader.line_num}: {_wrong_length(row, header)}")
                rows.append(row)
                ends.append(reader.line_num)
        except csv.Error as error:
            raise BenchError(f"{file}, line {reader.line_num}: {error}; is the file cut off or edited?") from None
    return pd.DataFrame(rows, columns=header, dtype=object), ends


def _wrong_length(row: list[str], header: list[str]) -> str:
    if len(row) < len(header):
        return f"ends before column {header[len(row)]!r}; is the file cut off?"
    return f"{len(row)} fields where the header has {len(header)}; was the file edited?"


def _other_format(cells: pd.DataFrame) -> str:
    if len(cells.columns) == 1 and ";" in cells.columns[0]:
        return " (cells are separated by ';': export with ',' and decimal points)"
    return ""


def _restore_types(cells: pd.DataFrame, ends: list[int], file: Path) -> pd.DataFrame:
    for name in cells.columns:
        if name in _WHOLE or name in _NUMBERS or name == "value":
            _check_numbers(cells, name, ends, file)
            cells[name] = cells[name].replace("", None)
        else:
            cells[name] = cells[name].map(restore)
    frame = _typed(cells)
    newest = frame["schema"].max()
    if len(frame) and not pd.isna(newest) and int(newest) > SCHEMA:
        raise BenchError(f"{file}: schema {newest} is newer than this program reads ({SCHEMA}); upgrade it")
    return frame


def _check_numbers(cells: pd.DataFrame, name: str, ends: list[int], file: Path) -> None:
    numbers = pd.to_numeric(cells[name], errors="coerce")
    wrong = numbers.isna() & (cells[name] != "") & (cells[name].str.lower() != "nan")
    if name == "value":
        wrong &= ~cells["unit"].isin(_TEXT_UNITS)
    if name in _WHOLE:
        wrong |= numbers.notna() & (numbers % 1 != 0)
    if bool(wrong.any()):
        row = int(wrong.to_numpy().argmax())
        cell = str(cells[name].iloc[row])[:40]
        raise BenchError(f"{file}, line {ends[row]}, column {name}: {cell!r} is not a number")
