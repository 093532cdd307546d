"""A GPU benchmark and reproducibility harness whose every verdict carries its error rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.axes import large
from bench.claims import close, higher, identical, lower, unchanged
from bench.errors import BenchError, SuiteError
from bench.suite import Benchmark, Settings, Subject, benchmark

if TYPE_CHECKING:
    from collections.abc import Collection
    from pathlib import Path

    import pandas

    from bench.interop.notebook import Compared, Report

__version__ = "0.1.0"

__all__ = [
    "BenchError",
    "Benchmark",
    "Settings",
    "Subject",
    "SuiteError",
    "benchmark",
    "close",
    "compare",
    "higher",
    "identical",
    "large",
    "load",
    "lower",
    "open_report",
    "unchanged",
]


def load(path: str | Path) -> pandas.DataFrame:
    """Read a report (its folder or its ``report.csv``) into a DataFrame, one row per case and metric."""
    from bench.report.frame import load as load_report

    return load_report(path)


def open_report(folder: str | Path) -> Report:
    """A report for a notebook: its tables as DataFrames, and ``figure(case)``."""
    from bench.interop import notebook

    return notebook.open_report(folder)


def compare(
    *reports: str | Path,
    floor: str = "2%",
    allow_diff: Collection[str] = (),
    fail_on: str = "worse,missing,failed",
    calibration: str | Path = "",
) -> Compared:
    """Compare two reports or more as ``bench compare`` does; a notebook shows the result as tables."""
    from bench.interop import notebook

    return notebook.compare(*reports, floor=floor, allow_diff=allow_diff, fail_on=fail_on, calibration=calibration)
