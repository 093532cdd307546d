"""Writes a report in the formats of other tools; what was not measured is absent there, never 0."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping
from typing import Any

from bench.analysis.renames import Name, name_of
from bench.analysis.reported import Report, Row
from bench.errors import BenchError, hint
from bench.metrics import is_headline


def export(report: Report, form: str) -> str:
    """A report as another tool's JSON.  Raises BenchError for a form that does not exist."""
    if form not in FORMS:
        raise BenchError(f"{form}: no such form; {hint(form, FORMS, 'choose from')}")
    return json.dumps(FORMS[form](report), indent=1, allow_nan=False) + "\n"


def _measured(report: Report) -> Iterator[tuple[Row, float]]:
    """Every row with a number."""
    for rows in report.rows.values():
        for row in rows.values():
            if row.status == "ok" and isinstance(row.value, (int, float)):
                yield row, float(row.value)


def _fact(report: Report, key: str) -> str:
    return " | ".join(report.facts.get(key, ()))


def pytest_benchmark(report: Report) -> Mapping[str, Any]:
    """The JSON that ``pytest-benchmark compare`` reads: the headline times, a process where it has a round."""
    from pytest_benchmark import __version__, stats

    new_stats: Any = stats.Stats  # untyped

    benchmarks = []
    for row, value in _measured(report):
        if not is_headline(row.metric):
            continue
        rounds = new_stats()
        for seconds in row.process_values or (value,):
            rounds.update(seconds)
        name, others = name_of(row.case), report.rows[row.case].values()
        benchmarks.append(
            {
                "group": f"{_group(name)} {row.metric}" if name else row.metric,
                "name": f"{row.case} {row.metric}",
                "fullname": f"{row.case} {row.metric}",
                "params": dict(name.axes) if name else None,
                "param": None,
                "extra_info": {o.metric: o.value for o in others if o.value is not None and o is not row},
                "options": {},
                "stats": {**rounds.as_dict(), "iterations": 1},
            }
        )
    machine = {
        "node": _fact(report, "host"),
        "python_version": _fact(report, "python"),
        "cpu": {"brand_raw": _fact(report, "cpu")},
        "facts": {key: " | ".join(values) for key, values in report.facts.items()},
    }
    measured = {"datetime": report.measured} if report.measured else {}
    return {"machine_info": machine, "commit_info": {}, "benchmarks": benchmarks, **measured, "version": __version__}


def _group(name: Name) -> str:
    suite, benchmark, _, device = name.parts
    return f"{suite}/{benchmark}[{','.join(f'{key}={value}' for key, value in name.axes)}]@{device}"


def bencher(report: Report) -> Mapping[str, Any]:
    """Bencher Metric Format: case -> metric -> value with its interval, in our units.

    https://bencher.dev/docs/reference/bencher-metric-format
    """
    found: dict[str, dict[str, dict[str, float]]] = {}
    for row, value in _measured(report):
        metric = {"value": value}
        if row.low is not None and row.high is not None:
            metric |= {"lower_value": row.low, "upper_value": row.high}
        found.setdefault(row.case, {})[row.metric] = metric
    return found


def github_action_benchmark(report: Report) -> list[dict[str, Any]]:
    """github-action-benchmark's ``customSmallerIsBetter``: every metric of which less is better.

    https://github.com/benchmark-action/github-action-benchmark
    """
    entries = []
    for row, value in _measured(report):
        if row.better != "lower":
            continue
        entry: dict[str, Any] = {"name": f"{row.case} {row.metric}", "unit": row.unit, "value": value}
        if row.low is not None and row.high is not None:
            entry["range"] = f"± {(row.high - row.low) / 2:.3g}"
        if row.process_values:
            entry["extra"] = f"{len(row.process_values)} processes"
        entries.append(entry)
    return entries


def pytorch_hud(report: Report) -> list[dict[str, Any]]:
    """Records of the PyTorch HUD's benchmark database, version 3; repository and commit are its upload job's to add.

    pytorch/test-infra, clickhouse_db_schema/oss_ci_benchmark_v3/schema.sql
    """
    runner = {
        "name": _fact(report, "host"),
        "cpu_info": _fact(report, "cpu"),
        "gpu_info": _fact(report, "gpu"),
        "extra_info": {key: _fact(report, key) for key in ("driver", "cuda", "cudnn", "python") if _fact(report, key)},
    }
    torch = (
        {"pytorch": {"repo": "pytorch/pytorch", "version": _fact(report, "torch")}} if _fact(report, "torch") else {}
    )
    return [
        {
            **_subject(row),
            "metric": {
                "name": row.metric,
                "benchmark_values": list(row.process_values) or [value],
                "extra_info": {"unit": row.unit},
            },
            "runners": [runner],
            "dependencies": torch,
        }
        for row, value in _measured(report)
    ]


# What the HUD calls the phases; parameters and multiply-adds belong to neither.
_MODES = {"inference": "inference", "forward": "training", "backward": "training"}


def _subject(row: Row) -> dict[str, Any]:
    name = name_of(row.case)
    if name is None:
        return {"benchmark": {"name": row.case}, "model": {"name": row.case, "type": "micro-benchmark"}}
    suite, benchmark, variant, device = name.parts
    axes = dict(name.axes)
    return {
        "benchmark": {
            "name": f"{suite}/{benchmark}",
            "mode": next((mode for phase, mode in _MODES.items() if phase in row.metric.split("/")), ""),
            "dtype": axes.get("dtype", ""),
            "extra_info": {"device": device, **axes},
        },
        "model": {"name": row.case, "type": "micro-benchmark", "backend": variant, "origins": ["torch-bench-harness"]},
    }


FORMS: Mapping[str, Callable[[Report], Any]] = {
    "pytest-benchmark": pytest_benchmark,
    "bencher": bencher,
    "github-action-benchmark": github_action_benchmark,
    "pytorch-hud": pytorch_hud,
}
