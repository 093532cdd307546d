"""Pictures of every benchmark: ratios, samples, the course of the run, memory, and rates against measured ceilings."""

from __future__ import annotations

import contextlib
import functools
import itertools
import multiprocessing
import os
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
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

_cores = getattr(os, "process_cpu_count", os.cpu_count)  # since Python 3.13 those that this process may use


def write_plots(summary: Summary, folder: Path) -> tuple[Path, ...]:
    """Every picture as SVG and PNG under ``folder``; what has nothing to show is left out."""
    folder.mkdir(parents=True, exist_ok=True)
    draw = functools.partial(_draw, summary.manifest.ceilings, machine(summary))
    names = [folder / stem for stem in stems(summary)]
    written = list(itertools.chain.from_iterable(_each(draw, names, sections(summary))))
    with drawing():
        price = price_figure(summary)
        if price is not None:
            written += save(price, folder / "determinism-price")
    return tuple(written)


def _each(
    draw: Callable[[Path, Section], list[Path]], names: Sequence[Path], parts: Sequence[Section]
) -> Iterable[list[Path]]:
    """The pictures of every benchmark; many are drawn by several processes, because Matplotlib keeps to one core."""
    processes = min(_cores() or 1, 4, len(parts) // 3)
    if processes > 1:
        with (
            contextlib.suppress(BrokenProcessPool),  # a session that no process can be started from draws by itself
            ProcessPoolExecutor(processes, multiprocessing.get_context("spawn")) as pool,
        ):
            return list(pool.map(draw, names, parts))
    return map(draw, names, parts)


def _draw(ceilings: Mapping[str, float], where: str, stem: Path, section: Section) -> list[Path]:
    with drawing():
        return [
            path
            for kind, figure in figures(section, ceilings, where)
            for path in save(figure, stem.with_name(f"{stem.name}-{kind}"))
        ]


def stems(summary: Summary) -> tuple[str, ...]:
    """File names, one per benchmark: readable, safe everywhere and different from each other."""
    taken: dict[str, int] = {}
    names = []
    for declaration in summary.manifest.declarations:
        name = re.sub(r"[^A-Za-z0-9_+-]+", "_", f"{declaration.suite}-{declaration.benchmark}")[:80]
        taken[name] = taken.get(name, 0) + 1
        names.append(name if taken[name] == 1 else f"{name}-{taken[name]}")
    return tuple(names)


def figures(section: Section, ceilings: Mapping[str, float], where: str) -> Iterable[tuple[str, Figure]]:
    """The pictures of one benchmark by kind; ``where``: the machine, in words."""
    below = f"{section.name} {section.common}".strip() + f", on {where}"
    drawn: tuple[tuple[str, Callable[[], Figure | None]], ...] = (
        ("ratio", lambda: ratio_figure(section, below)),
        ("samples", lambda: samples_figure(section, below)),
        ("time", lambda: course_figure(section, below)),
        ("memory", lambda: memory_figure(section, below)),
        ("roofline", lambda: roofline_figure(section, ceilings, below)),
    )
    for kind, draw in drawn:
        figure = draw()
        if figure is not None:
            yield kind, figure
