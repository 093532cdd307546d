"""Pictures of what was measured before any statistics: samples by process, and the course of the run."""

from __future__ import annotations

import math
import statistics
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from bench.model import Record, Samples
from bench.report.arrange import Cell, Section
from bench.report.style import FAINT, FLAGGED, WIDTH, Legend, look, panel, sheet
from bench.report.words import escape, quantity

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MOST_PANELS = 24  # of samples; more are no picture any more, and the sheet says so
MOST_LINES = 48  # of the course of a run
_ACROSS = 2
_PANEL_HEIGHT = 1.25  # inches
# Dots are drawn as an image inside the SVG: as shapes a long run's would take megabytes.
_SMALL: Any = {"markersize": 3, "markeredgewidth": 0.6, "alpha": 0.5, "linestyle": "", "rasterized": True}
_DASHES = ("-", "--", ":", "-.")


@dataclass(frozen=True, slots=True, kw_only=True)
class _Taken:
    """The samples of one case and phase, process by process."""

    number: int
    processes: tuple[tuple[Record, Samples], ...]


def samples_figure(section: Section, below: str) -> Figure | None:
    """Every sample by process; flagged ones, which no estimate uses, are crossed."""
    panels = [
        (f"{row.point} {phase}".strip(), taken)
        for row in section.rows
        for phase in section.phases
        if (taken := [t for cell in row.cells if (t := _taken(section, cell, phase)).processes])
    ]
    if not panels:
        return None
    kept = panels[:MOST_PANELS]
    if len(panels) > len(kept):
        below = f"the first {len(kept)} of {len(panels)} points and phases; {below}"
    numbers = {t.number for _, taken in kept for t in taken}
    legend = Legend(variants=section.numbered(numbers), aside="crosses: flagged, not used; at the edge: beyond it")
    down = -(-len(kept) // _ACROSS)
    step = _PANEL_HEIGHT + 0.55
    figure = sheet(section.title, below, WIDTH, down * step + legend.height)
    legend.draw(figure)
    width = WIDTH / _ACROSS - 0.95
    for i, (label, taken) in enumerate(kept):
        left = 0.75 + (i % _ACROSS) * (width + 0.95)
        bottom = legend.height + (down - 1 - i // _ACROSS) * step + 0.36
        _draw_samples(panel(figure, left, bottom, width, _PANEL_HEIGHT - 0.1), taken, label)
    return figure


def _taken(section: Section, cell: Cell, phase: str) -> _Taken:
    found = ((record, s) for record in cell.records for s in record.samples if s.phase == phase and s.seconds)
    return _Taken(number=section.number(cell.case.variant), processes=tuple(found))


def _draw_samples(axes: Axes, taken: list[_Taken], label: str) -> None:
    from matplotlib.ticker import MaxNLocator

    low, high = _limits(taken)
    for place, variant in enumerate(taken):
        colour = look(variant.number).colour
        shift = (place - (len(taken) - 1) / 2) * 0.8 / len(taken)
        for flagged, marker, shade in ((False, ".", colour), (True, "x", FLAGGED)):
            chosen = [(p + shift, min(max(t, low), high)) for p, t, flags in _all(variant) if bool(flags) == flagged]
            if chosen:
                axes.plot(*zip(*chosen, strict=True), marker, color=shade, **_SMALL)
        axes.plot(*_middles(variant, shift), look(variant.number).marker, color=colour, markersize=3)
    spare = (high - low) * 0.06 or high * 0.01
    axes.set_ylim(low - spare, high + spare)
    axes.set_title(escape(label, 46), fontsize=8, fontweight="normal")
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4))
    axes.yaxis.set_major_formatter(lambda y, _: quantity(y, "s"))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    axes.grid(axis="x", visible=False)
    axes.set_xlabel("process", labelpad=1)


def _limits(taken: list[_Taken]) -> tuple[float, float]:
    """The range that shows the valid samples well; what lies beyond is drawn at its edge."""
    valid = sorted(t for variant in taken for _, t, flags in _all(variant) if not flags)
    valid = valid or sorted(t for variant in taken for _, t, _ in _all(variant))
    low, high = valid[len(valid) // 50], valid[-1 - len(valid) // 50]
    spare = 0.3 * (high - low)
    return low - spare, high + spare


def _all(variant: _Taken) -> Iterable[tuple[int, float, tuple[str, ...]]]:
    for record, samples in variant.processes:
        yield from ((record.process, seconds, flags) for seconds, flags in _pairs(samples) if math.isfinite(seconds))


def _middles(variant: _Taken, shift: float) -> tuple[list[float], list[float]]:
    """The median of the valid samples of each process."""
    valid = [
        (record.process + shift, [t for t, flags in _pairs(samples) if not flags])
        for record, samples in variant.processes
    ]
    return [x for x, ts in valid if ts], [statistics.median(ts) for _, ts in valid if ts]


def _pairs(samples: Samples) -> Iterable[tuple[float, tuple[str, ...]]]:
    flags = samples.flags or ((),) * len(samples.seconds)
    return zip(samples.seconds, flags, strict=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Course:
    """How something moved during the run: by process, percent away from its own middle."""

    processes: tuple[int, ...]
    percents: tuple[float, ...]


def course_figure(section: Section, below: str) -> Figure | None:
    """How every case and the metronomes moved about their own middle while the run went on."""
    cases = _courses(section)
    if not cases:
        return None
    if len(cases) > MOST_LINES:
        below = f"the first {MOST_LINES} of {len(cases)} cases and phases; {below}"
    numbers = {number for number, _ in cases}
    legend = Legend(variants=section.numbered(numbers), aside="grey: metronomes, which time the machine")
    figure = sheet(section.title, below, WIDTH, 2.7 + legend.height)
    legend.draw(figure)
    axes = panel(figure, 0.75, legend.height + 0.4, WIDTH - 0.95, 2.0)
    for i, (name, course) in enumerate(_metronome_courses(section)):
        dash = _DASHES[i % len(_DASHES)]
        axes.plot(
            course.processes,
            course.percents,
            dash,
            color=FAINT,
            linewidth=2.2,
            zorder=3,
            alpha=0.7,
            label=escape(name, 24),
        )
    for number, course in cases[:MOST_LINES]:
        style = look(number)
        axes.plot(
            course.processes,
            course.percents,
            style.marker,
            color=style.colour,
            linestyle="-",
            linewidth=0.6,
            markersize=3,
        )
    axes.yaxis.set_major_formatter(lambda y, _: f"{y:+g} %" if y else "0 %")
    axes.set_ylabel("off its own middle (up is slower)")
    axes.set_xlabel(f"process, in the order of the run{_span(section)}")
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4, borderaxespad=0, title=None)
    return figure


def _courses(section: Section) -> list[tuple[int, _Course]]:
    """Every case and phase with at least two processes: its variant's number and its course."""
    found = []
    for row in section.rows:
        for cell in row.cells:
            for phase in section.phases:
                taken = _taken(section, cell, phase).processes
                course = _course((record.process, samples.seconds) for record, samples in taken)
                found.append((section.number(cell.case.variant), course))
    return [(number, course) for number, course in found if len(course.processes) > 1]


def _metronome_courses(section: Section) -> list[tuple[str, _Course]]:
    """Name and course of every metronome; a process's variants share theirs, so the first of them speaks."""
    records = [record for row in section.rows for cell in row.cells[:1] for record in cell.records]
    names = sorted({name for record in records for name in record.metronomes})
    return [(name, _course((r.process, r.metronomes.get(name, ())) for r in records)) for name in names]


def _course(taken: Iterable[tuple[int, tuple[float, ...]]]) -> _Course:
    values: dict[int, list[float]] = {}
    for process, seconds in taken:
        values.setdefault(process, []).extend(t for t in seconds if math.isfinite(t))
    medians = {process: statistics.median(found) for process, found in sorted(values.items()) if found}
    middle = statistics.median(medians.values()) if medians else 0.0
    return _Course(
        processes=tuple(medians),
        percents=tuple((value / middle - 1) * 100 if middle else 0.0 for value in medians.values()),
    )


def _span(section: Section) -> str:
    """When the run was: `` (03:05:00 to 03:09:30 UTC)``, where the records say so."""
    times = sorted(r.time for row in section.rows for cell in row.cells for r in cell.records if r.time)
    return f" ({times[0][11:19]} to {times[-1][11:19]} UTC)" if times and len(times[0]) >= 19 else ""
