"""Reports and comparisons as notebooks show them: tables as DataFrames, pictures, and a comparison that reads well."""

from __future__ import annotations

import io
from collections.abc import Collection
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench.analysis.change import Comparison
from bench.analysis.gate import parse_fail_on
from bench.analysis.summary import Summary, summarise
from bench.claims import parse_fraction
from bench.errors import BenchError, hint
from bench.report.arrange import Section, sections
from bench.store import read_environments, read_manifest, read_records, read_reference

if TYPE_CHECKING:
    import pandas
    from matplotlib.figure import Figure


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """A picture that notebooks show; ``figure`` is Matplotlib's, for whoever wants to change or save it."""

    figure: Figure

    def _repr_svg_(self) -> str:
        from bench.report.style import drawing

        text = io.StringIO()
        with drawing():
            self.figure.savefig(text, format="svg", metadata={"Date": None, "Creator": None})
        return text.getvalue()


def open_report(folder: str | Path) -> Report:
    """Read and judge a report folder.  Raises BenchError when it is none."""
    folder = Path(folder)
    records, _ = read_records(folder)
    summary = summarise(read_manifest(folder), read_environments(folder), records, read_reference(folder))
    return Report(summary=summary)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Report:
    """A report folder, judged again from its records."""

    summary: Summary

    @property
    def frame(self) -> pandas.DataFrame:
        """One row per case and metric, as in ``report.csv``."""
        from bench.report.frame import estimates_frame

        return estimates_frame(self.summary)

    @property
    def verdicts(self) -> pandas.DataFrame:
        """One row per claim, case and metric, as in ``verdicts.csv``."""
        from bench.report.frame import verdicts_frame

        return verdicts_frame(self.summary)

    def figure(self, case: str, kind: str = "ratio") -> Picture:
        """The picture of a case's group, or of a whole benchmark.

        kind: ``ratio``, ``samples``, ``time``, ``memory`` or ``roofline``.
        case: a case (``conv/bias_before_bn[c=64]/bias@cpu``), its group, or a benchmark (``conv/bias_before_bn``).
        Raises BenchError for a case that the report lacks, or a kind that has nothing to show of it.
        """
        from bench.report.plots import figures
        from bench.report.sentences import machine
        from bench.report.style import drawing

        section = self._section(case)
        with drawing():
            drawn = dict(figures(section, self.summary.manifest.ceilings, machine(self.summary)))
        if kind not in drawn:
            raise BenchError(f"there is no picture {kind!r} of {case}; there is {', '.join(drawn) or 'none at all'}")
        return Picture(figure=drawn[kind])

    def _section(self, name: str) -> Section:
        arranged, known = sections(self.summary), dict[str, Section]()
        for section in arranged:
            known[section.name] = section
            for row in section.rows:
                known |= dict.fromkeys((row.name, *(c.case.id for c in row.cells)), replace(section, rows=(row,)))
        if name not in known:
            told = hint(name, [section.name for section in arranged], "its benchmarks are", unlisted=known)
            raise BenchError(f"no case {name!r} in this report; {told}")
        return known[name]

    def __repr__(self) -> str:
        from bench.report.sentences import headlines, subject

        return "\n".join((subject(self.summary), *headlines(self.summary)))

    def _repr_markdown_(self) -> str:
        from bench.report.markdown import markdown

        return markdown(self.summary)


def compare(
    *reports: str | Path, floor: str, allow_diff: Collection[str], fail_on: str, calibration: str | Path
) -> Compared:
    """Compare reports as ``bench compare`` does, with its options.  Raises BenchError for what cannot be read."""
    from bench.analysis.compare import STATUSES
    from bench.interop.comparing import compare_paths

    failing = parse_fail_on(fail_on, STATUSES)
    smallest, known = parse_fraction(floor, where="floor"), Path(calibration) if calibration else None
    comparison = compare_paths(reports, floor=smallest, allow=allow_diff, calibration=known)
    return Compared(comparison=comparison, fail_on=failing)


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Compared:
    """A comparison as notebooks and prompts show it; ``comparison`` holds the values."""

    comparison: Comparison
    fail_on: Collection[str]

    @property
    def frame(self) -> pandas.DataFrame:
        """One row per change, as in ``--format csv``."""
        import pandas

        from bench.report.comparison_data import as_csv

        return pandas.read_csv(io.StringIO(as_csv(self.comparison, self.fail_on)))

    def __repr__(self) -> str:
        from bench.report.comparison_formats import render

        return render(self.comparison, "terminal", self.fail_on)

    def _repr_markdown_(self) -> str:
        from bench.report.comparison_formats import render

        return render(self.comparison, "markdown", self.fail_on)
