"""Charts of estimates, one row per point and phase: ratios, memory, rates against measured ceilings."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.metrics import covers, metric
from bench.model import Estimate
from bench.report.arrange import Row, Section
from bench.report.style import FAINT, INCH_PER_CHARACTER, WIDTH, Legend, bar, dot, look, panel, sheet
from bench.report.words import escape, quantity

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

ROW = 0.24  # inches per row of a chart
MOST_ROWS = 120  # more are no picture any more; the sheet says how many it left to report.csv
LONGEST_LABEL = 38


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """One row of a chart: a point and phase, and the estimates of its variants by their number as declared."""

    label: str
    estimates: tuple[tuple[int, Estimate], ...]


def lines(section: Section, wanted: str) -> tuple[Line, ...]:
    """Rows of a chart of metrics such as ``time/{phase}``: point by point, phase by phase, numbers only."""
    found = []
    for row in section.rows:
        for phase in section.phases or ("",):
            estimates = tuple(_numbers(row, section, wanted.format(phase=phase)))
            if estimates:
                label = f"{row.point} {phase}".strip()
                found.append(Line(label=label, estimates=estimates))
    return tuple(found)


def _numbers(row: Row, section: Section, name: str) -> Iterable[tuple[int, Estimate]]:
    for cell in row.cells:
        estimate = cell.estimates.get(name)
        if estimate is not None and estimate.status == "ok" and _is_number(estimate.value):
            yield section.number(cell.case.variant), estimate


def _number(estimate: Estimate) -> float:
    return float(estimate.value or 0)


def _is_number(value: float | str | None) -> bool:
    return isinstance(value, (int, float)) and math.isfinite(value)


def ratio_figure(section: Section, below: str) -> Figure | None:
    """Every variant's time against the baseline's, with its interval."""
    rows = tuple(
        Line(label=line.label, estimates=compared)
        for line in lines(section, "time/{phase}")
        if (compared := tuple((n, e) for n, e in line.estimates if e.ratio is not None and e.ratio > 0))
    )
    if not rows:
        return None
    band = _margin(section)
    legend = _legend(section, rows, dot, "grey: no difference, say the claims" if band else "")
    figure, axes, rows = _chart(section, rows, below, legend)
    is_wide = _is_wide([e for line in rows for _, e in line.estimates])
    axes.axvspan(1 - band, 1 + band, color="#E8E8E8", linewidth=0, zorder=0)
    axes.axvline(1.0, color=look(0).colour, linewidth=1)
    for y, n, e in _places(rows):
        low, high = e.ratio_low or e.ratio or 1.0, e.ratio_high or e.ratio or 1.0
        axes.plot([low, high], [y, y], color=look(n).colour, linewidth=1.4, solid_capstyle="butt")
        axes.plot([e.ratio or 1.0], [y], look(n).marker, color=look(n).colour)
    if is_wide:
        axes.set_xscale("log")
    axes.xaxis.set_major_formatter(lambda x, _: f"{x:g}x" if is_wide else _percent(x))
    axes.xaxis.set_minor_formatter(lambda *_: "")
    axes.set_xlabel(f"time against {_name(section.declaration.variants[0])} (left is faster), 95 % intervals")
    return figure


def _is_wide(estimates: Sequence[Estimate]) -> bool:
    """Whether factors read better than percents: something is half or twice as fast."""
    return any(not 0.5 < (e.ratio or 1.0) < 2 for e in estimates)


def _percent(ratio: float) -> str:
    percent = (ratio - 1) * 100
    return "0 %" if abs(percent) < 1e-9 else f"{percent:+g} %" if abs(percent) >= 1e-3 else f"{percent:+.1g} %"


def _margin(section: Section) -> float:
    """What the claims on time call no difference, the widest of them."""
    claims = section.declaration.claims
    return max((c.within for c in claims if any(covers(c.metric, f"time/{p}") for p in section.phases)), default=0.0)


def memory_figure(section: Section, below: str) -> Figure | None:
    """Peak memory of every variant as bars."""
    rows = lines(section, "memory/peak/{phase}")
    if not rows:
        return None
    figure, axes, rows = _chart(section, rows, below, _legend(section, rows, bar, ""))
    most = max(_number(e) for line in rows for _, e in line.estimates)
    size, unit = _bytes_unit(most)
    thick = 0.8 / max(len(line.estimates) for line in rows)
    for y, n, e in _places(rows):
        axes.barh(
            y,
            _number(e) / size,
            height=thick * 0.9,
            color=look(n).colour,
            hatch=look(n).hatch,
            edgecolor="white",
        )
    axes.set_xlim(0, most / size * 1.02 or 1)
    axes.set_xlabel(f"peak of allocated memory above what was there before, {unit}")
    return figure


def _bytes_unit(most: float) -> tuple[float, str]:
    return next(((2.0**n, unit) for n, unit in ((30, "GiB"), (20, "MiB"), (10, "KiB")) if most >= 2.0**n), (1.0, "B"))


def roofline_figure(section: Section, ceilings: Mapping[str, float], below: str) -> Figure | None:
    """Arithmetic and bandwidth achieved, as shares of the matmul and the copy measured in the same run."""
    rows: tuple[Line, ...] = ()
    roofs = []
    for kind, roof in (("flops", "fastest matmul"), ("bytes", "fastest copy")):
        found = lines(section, f"rate/{kind}/{{phase}}") if ceilings.get(kind) else ()
        unit = metric(f"rate/{kind}").unit
        rows += tuple(Line(label=f"{line.label}, {unit}", estimates=line.estimates) for line in found)
        roofs += [f"{roof}, {quantity(ceilings[kind], unit)}"] if found else []
    if not rows:
        return None
    legend = _legend(section, rows, dot, f"100 %: {'; '.join(roofs)}")
    figure, axes, rows = _chart(section, rows, below, legend)
    for y, n, e in _places(rows):
        share = 100 * _number(e) / ceilings[e.metric.split("/")[1]]
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


def _places(rows: Sequence[Line]) -> Iterable[tuple[float, int, Estimate]]:
    """Where each estimate stands: the variants of a row side by side about its middle."""
    most = max(len(line.estimates) for line in rows)
    for y, line in enumerate(rows):
        for i, (number, estimate) in enumerate(line.estimates):
            yield y + (i - (len(line.estimates) - 1) / 2) * 0.8 / most, number, estimate


def _legend(section: Section, rows: Sequence[Line], entry: Callable[[int, str], Artist], aside: str) -> Legend:
    numbers = {number for line in rows for number, _ in line.estimates}
    return Legend(variants=section.numbered(numbers), entry=entry, aside=aside)


def _name(variant: str) -> str:
    return escape(variant, 24)
