"""Reads other tools' results as reports, so that ``compare`` can lay them side by side; what they lack is unknown."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any, NoReturn

from bench.analysis.reported import Report, Row
from bench.errors import BenchError
from bench.report.table import A_NUMBER, Table, numbers

OPERATOR_COLUMNS = ("Case Name", "Execution Time")

_LARGEST_JSON_BYTES = 1 << 28
_UNITS = {"second": "s", "byte": "B", "integer": ""}


@dataclass(frozen=True, slots=True)
class _Json:
    """A value inside a JSON file, with the way to it, so that a wrong one is told where it stands."""

    file: Path
    data: Any
    at: str = ""

    def __getitem__(self, key: str) -> _Json:
        if not isinstance(self.data, Mapping) or key not in self.data:
            raise BenchError(f"{self.file}: no {self._inside(key)}; is the file cut off or of another tool?")
        return _Json(self.file, self.data[key], self._inside(key))

    def _inside(self, key: str) -> str:
        return f"{self.at}.{key}" if self.at else key

    def __iter__(self) -> Iterator[_Json]:
        if not isinstance(self.data, list):
            self.refuse("a list")
        return (_Json(self.file, item, f"{self.at}[{place}]") for place, item in enumerate(self.data))

    def get(self, key: str) -> Any:
        """What stands under a key that may be absent."""
        return self.data.get(key) if isinstance(self.data, Mapping) else None

    @property
    def number(self) -> float:
        found = numbers(str(self.data)) if isinstance(self.data, (int, float)) else ()
        if not found:
            self.refuse(A_NUMBER)
        return found[0]

    @property
    def text(self) -> str:
        if not isinstance(self.data, str):
            self.refuse("a text")
        return self.data

    def names(self, key: str) -> Mapping[str, Any]:
        """Names and values under a key that may be absent."""
        found = self.get(key)
        if found is not None and not isinstance(found, Mapping):
            self[key].refuse("names with values")
        return found or {}

    def refuse(self, wanted: str) -> NoReturn:
        raise BenchError(f"{self.file}: {self.at or 'the whole'} is {self.data!r:.40}, not {wanted}")


def read_json(file: Path, name: str) -> Report:
    """The JSON of pytest-benchmark or of pyperf.  Raises BenchError for any other."""
    if file.stat().st_size > _LARGEST_JSON_BYTES:
        raise BenchError(f"{file}: larger than {_LARGEST_JSON_BYTES >> 20} MiB; this is no benchmark's JSON")
    try:
        data = json.loads(file.read_bytes())
    except UnicodeDecodeError:
        raise BenchError(f"{file}: not UTF-8; save the file as UTF-8") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise BenchError(f"{file}, {where}: not JSON ({error.msg}); is the file cut off?") from None
    except ValueError:
        raise BenchError(f"{file}: holds a number of thousands of digits; this is no benchmark's JSON") from None
    root = _Json(file, data)
    if root.get("machine_info") is not None:
        return _pytest_benchmark(root, name)
    if root.get("metadata") is not None or root.get("version") is not None:
        return _pyperf(root, name)
    raise BenchError(f"{file}: JSON of neither pytest-benchmark nor pyperf; give a report folder or its report.csv")


def _pytest_benchmark(root: _Json, name: str) -> Report:
    machine = root["machine_info"]
    cpu = machine.get("cpu")
    rows = [
        Row(case=item["fullname"].text, metric="time", unit="s", better="lower", value=item["stats"]["median"].number)
        for item in root["benchmarks"]
    ]
    facts = {
        "cpu": cpu.get("brand_raw") if isinstance(cpu, Mapping) else None,
        "python": machine.get("python_version"),
        "host": machine.get("node"),
    }
    unknown = "pytest-benchmark keeps the rounds of one process: the spread between processes is unknown"
    return _report(root.file, name, rows, facts, unknown)


def _pyperf(root: _Json, name: str) -> Report:
    common = root.names("metadata")
    facts = {"cpu": common.get("cpu_model_name"), "host": common.get("hostname")}
    facts["python"] = str(common.get("python_version") or "").split(" ")[0] or None
    unknown = "pyperf keeps neither the source of a benchmark nor torch's version: what was measured is unknown"
    return _report(root.file, name, [_pyperf_row(item, common) for item in root["benchmarks"]], facts, unknown)


def _pyperf_row(item: _Json, common: Mapping[str, Any]) -> Row:
    about = {**common, **item.names("metadata")}
    unit = str(about.get("unit") or "second")
    # One run is one worker process; the runs that only calibrate hold no values.
    runs = [[value.number for value in run["values"]] for run in item["runs"] if run.get("values")]
    values = tuple(median(run) for run in runs)
    return Row(
        case=str(about.get("name") or item["metadata"]["name"].text),
        metric="time" if unit == "second" else unit,
        unit=_UNITS.get(unit, unit),
        better="lower",
        status="ok" if values else "failed",
        reason="" if values else "no run holds a value",
        value=math.exp(math.fsum(map(math.log, values)) / len(values)) if values and min(values) > 0 else None,
        process_values=values,
    )


def read_operator_benchmark(file: Path, name: str) -> Report:
    """The CSV of PyTorch's operator benchmark: ``Case Name`` and ``Execution Time`` in microseconds.

    Cases that share a name are told apart by what the file has beside it, then by their order.
    """
    table = Table(file, OPERATOR_COLUMNS, "CSV of PyTorch's operator benchmark")
    case_at, time_at = (table.header.index(column) for column in OPERATOR_COLUMNS)
    rows: list[Row] = []
    seen: dict[str, int] = {}
    for line, cells in table:
        case = _operator_case(cells[case_at], dict(zip(table.header, cells, strict=True)))
        seen[case] = seen.get(case, 0) + 1
        seconds = table.number(line, "Execution Time", cells[time_at])
        rows.append(
            Row(
                case=case if seen[case] == 1 else f"{case} ({seen[case]})",
                metric="time",
                unit="s",
                better="lower",
                status="failed" if seconds is None else "ok",
                reason="" if seconds is not None else "no execution time",
                value=None if seconds is None else seconds * 1e-6,
                line=line,
            )
        )
    unknown = "PyTorch's operator benchmark keeps one number for each case: its spread is unknown"
    return _report(file, name, rows, {}, unknown)


def _operator_case(name: str, cells: Mapping[str, str]) -> str:
    """``add_M1_N1_K1_cpu (short, backward)``."""
    more = [cells.get("tag", ""), "backward" if cells.get("run_backward", "").lower() == "true" else ""]
    return f"{name} ({', '.join(filter(None, more))})" if any(more) else name


def _report(file: Path, name: str, rows: list[Row], facts: Mapping[str, Any], unknown: str) -> Report:
    if not rows:
        raise BenchError(f"{file}: holds no benchmark")
    found: dict[str, dict[str, Row]] = {}
    for row in rows:
        if row.metric in found.setdefault(row.case, {}):
            raise BenchError(f"{file}: {row.case!r} is there twice")
        found[row.case][row.metric] = row
    known = {key: (str(value),) for key, value in facts.items() if value}
    return Report(name=name, file=str(file), rows=found, facts=known, unknown=unknown)
