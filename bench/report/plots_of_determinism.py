"""The price of determinism as a picture: every case's time in every cell of the knob matrix, against the default's."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from bench.analysis.determinism import Price, knob_matrix, prices
from bench.analysis.summary import Summary
from bench.model import Estimate
from bench.report.sentences import machine
from bench.report.style import INCH_PER_CHARACTER, WIDTH, Legend, look, panel, sheet
from bench.report.words import escape, percent_tick

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_ROW = 0.42  # inches
_PHASES = ("forward", "backward", "inference")


def price_figure(summary: Summary) -> Figure | None:
    """One row per cell, one mark per case and phase; None where nothing was timed."""
    table = [price for price in prices(knob_matrix(summary.turned)) if price.ratios]
    if not table:
        return None
    phases = [p for p in _PHASES if any(_phase(e) == p for price in table for e in price.ratios)]
    legend = Legend(variants=tuple((_PHASES.index(p), p) for p in phases), aside="bar: 95 % interval of the dearest")
    labels = [escape(price.knobs, 40) for price in table]
    left, height = 0.25 + max(map(len, labels)) * INCH_PER_CHARACTER, _ROW * (len(table) + 0.4)
    cases = len({e.case.id for price in table for e in price.ratios})
    below = f"{cases} cases on {machine(summary)}"
    figure = sheet("What determinism costs", below, WIDTH, height + legend.height + 0.58)
    legend.draw(figure)
    axes = panel(figure, left, legend.height + 0.48, WIDTH - left - 0.25, height)
    _draw(axes, table)
    axes.set_yticks(range(len(labels)), labels)
    axes.set_ylim(len(labels) - 0.5, -0.5)
    axes.grid(axis="y", visible=False)
    axes.tick_params(axis="y", length=0)
    axes.set_xlabel("time against the default cell (left is faster)")
    return figure


def _draw(axes: Axes, table: Sequence[Price]) -> None:
    from matplotlib.ticker import LogLocator

    axes.axvline(1.0, color=look(0).colour, linewidth=1)
    for row, price in enumerate(table):
        for estimate in price.ratios:
            style = look(_PHASES.index(_phase(estimate)))
            # Phases a little above each other, so that they do not hide one another.
            y = row + 0.18 * (_PHASES.index(_phase(estimate)) - 0.5)
            axes.plot([estimate.ratio or 1.0], [y], style.marker, color=style.colour, alpha=0.6)
            if estimate is price.dearest:
                ends = [estimate.ratio_low or 1.0, estimate.ratio_high or 1.0]
                axes.plot(ends, [y, y], color=style.colour, linewidth=1.4)
    ratios = [e.ratio or 1.0 for price in table for e in price.ratios]
    is_wide = max(ratios) > 2 or min(ratios) < 0.5
    if is_wide:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:g}x" if is_wide else percent_tick(x))
    axes.xaxis.set_minor_formatter(lambda *_: "")


def _phase(estimate: Estimate) -> str:
    return estimate.metric.partition("/")[2]
