"""Writes everything of a report folder that is made from records; the same records give the same bytes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from bench.analysis.summary import Summary
from bench.report.frame import estimates_frame, prices_frame, reproducibility_frame, verdicts_frame, write_csv
from bench.report.html import html
from bench.report.junit import junit
from bench.report.markdown import markdown
from bench.report.plots import write_plots
from bench.store import write_atomically


def write_report(summary: Summary, folder: Path) -> None:
    """Write the tables, ``report.md``, ``report.html`` and the plots into ``folder``, over what stood there."""
    with ThreadPoolExecutor(1) as thread:
        drawn = thread.submit(write_plots, summary, folder / "plots")  # mostly waits for processes of its own
        write_tables(summary, folder)
        write_atomically(folder / "report.md", markdown(summary))
        write_atomically(folder / "report.html", html(summary))
        write_atomically(folder / "junit.xml", junit(summary))
        if summary.turned:
            write_csv(prices_frame(summary), folder / "prices.csv")
        drawn.result()


def write_tables(summary: Summary, folder: Path) -> None:
    """Write what programs read: ``report.csv``, ``verdicts.csv`` and ``reproducibility.csv``."""
    write_csv(estimates_frame(summary), folder / "report.csv")
    write_csv(verdicts_frame(summary), folder / "verdicts.csv")
    write_csv(reproducibility_frame(summary), folder / "reproducibility.csv")
