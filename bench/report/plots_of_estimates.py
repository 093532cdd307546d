"""Charts of estimates, one row per point and phase: ratios, memory, rates against measured ceilings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING

from bench.metrics import metric
from bench.report.arrange import Section
from bench.report.series import Line, lines, margin, number, places, rates, ratios, read_as_factors, share_of_ceiling
from bench.report.style import FAINT, INCH_PER_CHARACTER, WIDTH, Legend, bar, dot, look, panel, sheet
from bench.report.words import BYTES, escape, percent_tick, quantity

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW = 0.24  # inches per row of a chart
MOST_ROWS = 120  # more are no picture any more; the sheet says how many it left to report.csv
LONGEST_LABEL = 44


def ratio_figure(section: Section, below: str) -> Figure | None:
    """Every variant's time against the baseline's, with its interval."""
    from matplotlib.ticker import LogLocator

    rows = ratios(section)
    if not rows:
        return None
    band = margin(section)
    legend = _legend(section, rows, dot, "grey: no difference, say the claims" if band else "")
    figure, axes, rows = _chart(section, rows, below, legend)
    is_wide = read_as_factors(rows)
    axes.axvspan(1 - band, 1 + band, color="#E8E8E8", linewidth=0, zorder=0)
    axes.axvline(1.0, color=look(0).colour, linewidth=1)
    for y, n, e in places(rows):
        low, high = e.ratio_low or e.ratio or 1.0, e.ratio_high or e.ratio or 1.0
        axes.plot([low, high], [y, y], color=look(n).colour, linewidth=1.4, solid_capstyle="butt")
        axes.plot([e.ratio or 1.0], [y], look(n).marker, color=look(n).colour)
    if is_wide:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:g}x" if is_wide else percent_tick(x))
    axes.xaxis.set_minor_formatter(lambda *_: "")
    axes.set_xlabel(f"time against {_name(section.declaration.variants[0])} (left is faster), 95 % intervals")
    return figure


def memory_figure(section: Section, below: str) -> Figure | None:
    """Peak memory of every variant as bars."""
    rows = lines(section, "memory/peak/{phase}")
    if not rows:
        return None
    figure, axes, rows = _chart(section, rows, below, _legend(section, rows, bar, ""))
    most = max(number(e) for line in rows for _, e in line.estimates)
    size, unit = next((step for step in BYTES if most >= step[0]), BYTES[-1])
    thick = 0.8 / max(len(line.estimates) for line in rows)
    for y, n, e in places(rows):
        colour, hatch = look(n).colour, look(n).hatch
        axes.barh(y, number(e) / size, height=thick * 0.9, color=colour, hatch=hatch, edgecolor="white")
    axes.set_xlim(0, most / size * 1.02 or 1)
    axes.set_xlabel(f"peak of allocated memory above what was there before, {unit}")
    return figure


def roofline_figure(section: Section, ceilings: Mapping[str, float], below: str) -> Figure | None:
    """Arithmetic and bandwidth achieved, as shares of the matmul and the copy measured in the same run."""
    rows, roofs = rates(section, ceilings)
    if not rows:
        return None
    legend = _legend(section, rows, dot, f"100 %: {'; '.join(roofs)}")
    figure, axes, rows = _chart(section, rows, below, legend)
    for y, n, e in places(rows):
        share = share_of_ceiling(e, ceilings)
        axes.plot([share], [y], look(n).marker, color=look(n).colour)
        axes.text(share, y, f"   {quantity(e.value, metric(e.metric).unit)}", va="center", fontsize=6, color="#555555")
    axes.axvline(100, color=FAINT, linestyle="--", linewidth=1)
    axes.set_xlim(0, max(118.0, axes.get_xlim()[1] * 1.15))
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:g} %")
    axes.set_xlabel("achieved, as a share of the ceiling measured in this run")
    return figure


def _chart(
    section: Section, rows: tuple[Line, ...], below: str, legend: Legend
) -> tuple[Figure, Axes, tuple[Line, ...]]:
    """A sheet with one row of axes per line, labelled at the left, and its legend at the bottom."""
    kept = rows[:MOST_ROWS]
    if len(rows) > len(kept):
        below = f"the first {len(kept)} of {len(rows)} rows, all are in report.csv; {below}"
    labels = [escape(line.label, LONGEST_LABEL) for line in kept]
    left = 0.25 + max(len(label) for label in labels) * INCH_PER_CHARACTER
    height = ROW * (len(kept) * max(1.0, 0.5 * max(len(line.estimates) for line in kept)) + 0.4)
    figure = sheet(section.title, below, WIDTH, height + legend.height + 0.58)
    legend.draw(figure)
    axes = panel(figure, left, legend.height + 0.48, WIDTH - left - 0.25, height)
    axes.set_yticks(range(len(kept)), labels)
    axes.set_ylim(len(kept) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    return figure, axes, kept


def _legend(section: Section, rows: Sequence[Line], entry: Callable[[int, str], Artist], aside: str) -> Legend:
    numbers = {number for line in rows for number, _ in line.estimates}
    return Legend(variants=section.numbered(numbers), entry=entry, aside=aside)


def _name(variant: str) -> str:
    return escape(variant, 24)
