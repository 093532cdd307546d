"""A GPU benchmark and reproducibility harness whose every verdict carries its error rate."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.axes import large
from bench.claims import close, higher, identical, lower, unchanged
from bench.errors import BenchError, SuiteError
from bench.suite import Benchmark, Settings, Subject, benchmark

if TYPE_CHECKING:
    from pathlib import Path

    import pandas

__version__ = "0.1.0"

__all__ = [
    "BenchError",
    "Benchmark",
    "Settings",
    "Subject",
    "SuiteError",
    "benchmark",
    "close",
    "higher",
    "identical",
    "large",
    "load",
    "lower",
    "unchanged",
]


def load(path: str | Path) -> pandas.DataFrame:
    """Read a report (its folder or its ``report.csv``) into a DataFrame, one row per case and metric."""
    from bench.report.frame import load as load_report

    return load_report(path)
