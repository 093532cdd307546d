"""Pictures of what was measured before any statistics: samples by process, and the course of the run."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

from bench.report.arrange import Section
from bench.report.series import Taken, courses, limits, metronome_courses, span, taken
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
_THIN: Any = {"linestyle": "-", "linewidth": 0.6, "markersize": 3}
_METRONOME: Any = {"color": FAINT, "linewidth": 2.2, "alpha": 0.7, "zorder": 3}
_DASHES = ("-", "--", ":", "-.")


def samples_figure(section: Section, below: str) -> Figure | None:
    """Every sample by process; flagged ones, which no estimate uses, are crossed."""
    panels = taken(section)
    if not panels:
        return None
    kept = panels[:MOST_PANELS]
    if len(panels) > len(kept):
        below = f"the first {len(kept)} of {len(panels)} points and phases; {below}"
    numbers = {variant.number for _, variants in kept for variant in variants}
    legend = Legend(variants=section.numbered(numbers), aside="crosses: flagged, not used; at the edge: beyond it")
    down = -(-len(kept) // _ACROSS)
    step = _PANEL_HEIGHT + 0.55
    figure = sheet(section.title, below, WIDTH, down * step + legend.height)
    legend.draw(figure)
    width = WIDTH / _ACROSS - 0.95
    for i, (label, variants) in enumerate(kept):
        left = 0.75 + (i % _ACROSS) * (width + 0.95)
        bottom = legend.height + (down - 1 - i // _ACROSS) * step + 0.36
        _draw_samples(panel(figure, left, bottom, width, _PANEL_HEIGHT - 0.1), variants, label)
    return figure


def _draw_samples(axes: Axes, variants: tuple[Taken, ...], label: str) -> None:
    from matplotlib.ticker import MaxNLocator

    low, high = limits(variants)
    for place, variant in enumerate(variants):
        style = look(variant.number)
        shift = (place - (len(variants) - 1) / 2) * 0.8 / len(variants)
        for wanted, marker, colour in ((False, ".", style.colour), (True, "x", FLAGGED)):
            dots = [(p + shift, min(max(t, low), high)) for p, t, flagged in variant.samples() if flagged == wanted]
            if dots:
                axes.plot(*zip(*dots, strict=True), marker, color=colour, **_SMALL)
        middles = variant.middles()
        axes.plot([p + shift for p in middles], list(middles.values()), style.marker, color=style.colour, markersize=3)
    spare = (high - low) * 0.06
    axes.set_ylim(low - spare, high + spare)
    axes.set_title(escape(label, 46), fontsize=8, fontweight="normal")
    axes.yaxis.set_major_locator(MaxNLocator(nbins=4))
    axes.yaxis.set_major_formatter(lambda y, _: quantity(y, "s"))
    axes.xaxis.set_major_locator(MaxNLocator(integer=True, nbins=8))
    axes.grid(axis="x", visible=False)
    axes.set_xlabel("process", labelpad=1)


def course_figure(section: Section, below: str) -> Figure | None:
    """How every case and the metronomes moved about their own middle while the run went on."""
    cases = courses(section)
    if not cases:
        return None
    if len(cases) > MOST_LINES:
        below = f"the first {MOST_LINES} of {len(cases)} cases and phases; {below}"
    legend = Legend(
        variants=section.numbered({number for number, _ in cases}), aside="grey: metronomes, which time the machine"
    )
    figure = sheet(section.title, below, WIDTH, 2.7 + legend.height)
    legend.draw(figure)
    axes = panel(figure, 0.75, legend.height + 0.4, WIDTH - 0.95, 2.0)
    metronomes = metronome_courses(section)
    for (name, course), dash in zip(metronomes, itertools.cycle(_DASHES), strict=False):
        axes.plot(course.processes, course.percents, dash, label=escape(name, 24), **_METRONOME)
    for number, course in cases[:MOST_LINES]:
        marker, colour = look(number).marker, look(number).colour
        axes.plot(course.processes, course.percents, marker, color=colour, **_THIN)
    axes.yaxis.set_major_formatter(lambda y, _: f"{y:+g} %" if y else "0 %")
    axes.set_ylabel("off its own middle (up is slower)")
    axes.set_xlabel(f"process, in the order of the run{f' ({span(section)})' if span(section) else ''}")
    if metronomes:
        axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4, borderaxespad=0)
    return figure
