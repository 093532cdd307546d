"""Pictures of every benchmark: ratios, samples, the course of the run, memory, and rates against measured ceilings."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING

from bench.analysis.summary import Summary
from bench.report.arrange import Section, sections
from bench.report.plots_of_determinism import price_figure
from bench.report.plots_of_estimates import memory_figure, ratio_figure, roofline_figure
from bench.report.plots_of_samples import course_figure, samples_figure
from bench.report.sentences import machine
from bench.report.style import drawing, save

if TYPE_CHECKING:
    from matplotlib.figure import Figure


def write_plots(summary: Summary, folder: Path) -> tuple[Path, ...]:
    """Every picture as SVG and PNG under ``folder``; what has nothing to show is left out."""
    folder.mkdir(parents=True, exist_ok=True)
    written: list[Path] = []
    with drawing():
        for stem, section in zip(stems(summary), sections(summary), strict=True):
            for kind, figure in figures(summary, section):
                written += save(figure, folder / f"{stem}-{kind}")
        price = price_figure(summary)
        if price is not None:
            written += save(price, folder / "determinism-price")
    return tuple(written)


def stems(summary: Summary) -> tuple[str, ...]:
    """File names, one per benchmark: readable, safe everywhere and different from each other."""
    taken: dict[str, int] = {}
    names = []
    for declaration in summary.manifest.declarations:
        name = re.sub(r"[^A-Za-z0-9_+-]+", "_", f"{declaration.suite}-{declaration.benchmark}")[:80]
        taken[name] = taken.get(name, 0) + 1
        names.append(name if taken[name] == 1 else f"{name}-{taken[name]}")
    return tuple(names)


def figures(summary: Summary, section: Section) -> Iterable[tuple[str, Figure]]:
    """The pictures of one benchmark by kind."""
    below = f"{section.name} {section.common}".strip() + f", on {machine(summary)}"
    drawn: tuple[tuple[str, Callable[[], Figure | None]], ...] = (
        ("ratio", lambda: ratio_figure(section, below)),
        ("samples", lambda: samples_figure(section, below)),
        ("time", lambda: course_figure(section, below)),
        ("memory", lambda: memory_figure(section, below)),
        ("roofline", lambda: roofline_figure(section, summary.manifest.ceilings, below)),
    )
    for kind, draw in drawn:
        figure = draw()
        if figure is not None:
            yield kind, figure
