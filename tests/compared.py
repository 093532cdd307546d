"""Reports for the tests of ``compare``, built in one line, as values or as files."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from bench.analysis.reported import Report, Row

CASE = "conv/bias_before_bn[c=16,n=4]/bias@cpu"
FACTS = {"torch": ("2.10",), "cpu": ("Test CPU",), "os": ("Linux",), "metronome": ("m1",)}


def times(median: float = 2e-3, *, spread: float = 0.01, processes: int = 12, seed: int = 0) -> tuple[float, ...]:
    """Process values in seconds, log-normal."""
    return tuple(median * np.exp(np.random.default_rng(seed).normal(0.0, spread, processes)))


def row(values: Sequence[float] = (), *, case: str = CASE, metric: str = "time/forward", **fields: Any) -> Row:
    """A time in seconds with the geometric mean of its process values, unless ``fields`` say otherwise."""
    value = float(np.exp(np.mean(np.log(values)))) if values and min(values) > 0 else None
    return Row(
        case=case,
        metric=metric,
        **{
            "unit": "s",
            "better": "lower",
            "value": value,
            "process_values": tuple(values),
            "version": "v1",
            "line": 2,
            **fields,
        },
    )


def exact(value: float | str, metric: str = "memory/peak/forward", *, unit: str = "B", **fields: Any) -> Row:
    """A value without noise."""
    return row(metric=metric, **{"value": value, "unit": unit, **fields})


def bits(value: str, **fields: Any) -> Row:
    """A hash of a result."""
    return exact(value, "bits/output", unit="sha256", better="", **fields)


def report(*rows: Row, name: str = "base", facts: Mapping[str, Sequence[str]] | None = None, **fields: Any) -> Report:
    """A report of these rows on the test machine."""
    found: dict[str, dict[str, Row]] = {}
    for each in rows:
        found.setdefault(each.case, {})[each.metric] = each
    known = FACTS if facts is None else {key: tuple(values) for key, values in facts.items()}
    return Report(name=name, file=f"{name}.csv", rows=found, facts=known, **fields)


HEADER = (
    *("schema", "suite", "benchmark", "version", "case", "variant", "baseline", "point", "device", "metric", "unit"),
    *("better", "status", "reason", "value", "low", "high", "confidence", "processes", "process_values", "samples"),
    *("valid_fraction", "stop_reason", "ratio", "ratio_low", "ratio_high", "flags", "torch", "cuda", "cudnn"),
    *("driver", "gpu", "gpu_uuid", "cpu", "host", "python", "environment", "run", "time", "facts", "metronome"),
)


def cells(of: Row, **more: object) -> dict[str, object]:
    """A row as the cells of report.csv."""
    suite, _, rest = of.case.partition("/")
    return {
        "schema": 1,
        "suite": suite,
        "benchmark": rest.partition("[")[0],
        "device": of.case.rpartition("@")[2],
        "processes": len(of.process_values),
        **{name: getattr(of, name) for name in ("case", "metric", "unit", "better", "status", "reason", "version")},
        **{name: "" if getattr(of, name) is None else getattr(of, name) for name in ("value", "low", "high")},
        "process_values": ";".join(repr(float(v)) for v in of.process_values),
        "torch": "2.10",
        "cpu": "Test CPU",
        "python": "3.11.2",
        "metronome": "m1",
        **more,
    }


def csv_text(rows: Iterable[Mapping[str, object]], header: Sequence[str] = HEADER) -> str:
    text = io.StringIO()
    writer = csv.DictWriter(text, header, restval="", lineterminator="\n", extrasaction="ignore")
    writer.writeheader()
    writer.writerows(rows)
    return text.getvalue()


def write(path: Path, *rows: Row, **more: object) -> Path:
    """A report.csv of these rows; ``more`` replaces cells of all of them."""
    path.write_text(csv_text(cells(each, **more) for each in rows), encoding="utf-8", newline="")
    return path
