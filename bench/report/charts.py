"""The charts of the HTML report: the same pictures as the plots, drawn small."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence

from markupsafe import Markup

from bench.model import Verdict
from bench.report.arrange import Section
from bench.report.series import (
    Line,
    Taken,
    courses,
    limits,
    lines,
    margin,
    metronome_courses,
    number,
    places,
    rates,
    ratios,
    read_as_factors,
    share_of_ceiling,
)
from bench.report.svg import Scale, crosses, dots, element, legend, line, mark, picture, rectangle, text, x_axis, y_axis
from bench.report.words import escape, percent_tick, quantity

WIDTH = 680.0
_ROW = 20.0
_CHARACTER = 6.4  # pixels of the 12 pixel sans serif, on average
_LONGEST_LABEL = 44
MOST_LINES = 48  # of the course of a run


def effect_picture(verdict: Verdict) -> Markup:
    """A verdict's interval about its baseline, and the claim's margin."""
    return interval_picture(verdict.ratio, verdict.low, verdict.high, verdict.claim.within)


def interval_picture(ratio: float | None, low: float | None, high: float | None, band: float) -> Markup:
    """A ratio's interval about 1, on one scale for a whole table: even near 1, logarithmic beyond."""
    if ratio is None or ratio <= 0:
        return Markup("")
    low, high = (r if r and r > 0 else ratio for r in (low, high))
    parts = [
        rectangle(_compressed(1 - band), 0.0, _compressed(1 + band) - _compressed(1 - band), 14.0, "band"),
        line(_compressed(1.0), 0, _compressed(1.0), 14, "zero"),
        line(_compressed(low), 7, max(_compressed(high), _compressed(low) + 1.5), 7, "range"),
        element("circle", cx=_compressed(ratio), cy=7.0, r=2.5, class_="point"),
    ]
    return picture(120, 14, "", parts)


def strips_picture(base: Sequence[float], new: Sequence[float]) -> Markup:
    """The values of processes on one even scale, the base's above the new ones, with a bar at their middle."""
    if not (base and new):
        return Markup("")
    scale = Scale(low=min(*base, *new), high=max(*base, *new), start=4, end=136)
    parts = []
    for place, values in enumerate((base, new)):
        middle, at = scale.at(math.exp(math.fsum(map(math.log, values)) / len(values))), 8 + 14 * place
        parts.append(dots(((scale.at(value), at) for value in values), f"d{place} big"))
        parts.append(line(middle, at - 6, middle, at + 6, f"s{place}"))
    return picture(140, 30, "", parts)


def _compressed(ratio: float) -> float:
    """Pixels of a ratio: 1 % about as far from the middle as 1 % to 3 %; ten times and more at the edge."""
    size = math.log1p(abs(math.log(ratio)) / 0.01) / math.log1p(math.log(10) / 0.01)
    return 60 + math.copysign(min(1.0, size), math.log(ratio)) * 57


def ratio_chart(section: Section) -> Markup:
    """Every variant's time against the baseline's, with its interval; empty when nothing is compared."""
    rows = ratios(section)
    if not rows:
        return Markup("")
    left, height = _frame(rows)
    ends = [r for row in rows for _, e in row.estimates for r in (e.ratio, e.ratio_low, e.ratio_high, 1.0) if r]
    band, factors = margin(section), read_as_factors(rows)
    low, high = min(*ends, 1 - band), max(*ends, 1 + band)
    spare = (high / low) ** 0.04
    scale = Scale(low=low / spare, high=high * spare, start=left, end=WIDTH - 20, is_log=factors)
    parts = (
        [rectangle(scale.at(1 - band), 4.0, scale.at(1 + band) - scale.at(1 - band), height, "band")] if band else []
    )
    parts += [x_axis(scale, 4, height + 4, (lambda r: f"{r:g}x") if factors else percent_tick)]
    parts += [line(scale.at(1.0), 4, scale.at(1.0), height + 4, "zero"), *_labels(rows, left)]
    for y, variant, e in places(rows):
        at, ratio = _middle(y, rows), e.ratio or 1.0
        parts.append(line(scale.at(e.ratio_low or ratio), at, scale.at(e.ratio_high or ratio), at, f"s{variant % 7}"))
        parts.append(mark(scale.at(ratio), at, variant))
    name = escape(section.declaration.variants[0], 24)
    parts.append(text(WIDTH - 20, height + 34, f"time against {name}; left is faster; 95 % intervals", "end", "t"))
    return _with_legend(section, rows, picture(WIDTH, height + 40, f"{section.name}: ratios of time", parts))


def memory_chart(section: Section) -> Markup:
    """Peak memory of every variant as bars."""
    rows = lines(section, "memory/peak/{phase}")
    if not rows:
        return Markup("")
    left, height = _frame(rows)
    most = max(number(e) for row in rows for _, e in row.estimates)
    scale = Scale(low=0.0, high=most or 1.0, start=left, end=WIDTH - 90)
    parts = [*_labels(rows, left)]
    thick = _step(rows) * 0.7 / max(len(row.estimates) for row in rows)
    for y, variant, e in places(rows):
        at, end = _middle(y, rows), scale.at(number(e))
        parts.append(rectangle(left, at - thick / 2, end - left, thick, f"f{variant % 7}"))
        parts.append(text(end + 5, at + 4, quantity(e.value, "B"), class_="t"))
    return _with_legend(section, rows, picture(WIDTH, height + 12, f"{section.name}: peak memory", parts))


def rate_chart(section: Section, ceilings: Mapping[str, float]) -> Markup:
    """Rates achieved as shares of the ceilings that were measured in the same run."""
    rows, roofs = rates(section, ceilings)
    if not rows:
        return Markup("")
    left, height = _frame(rows)
    shares = [share_of_ceiling(e, ceilings) for row in rows for _, e in row.estimates]
    scale = Scale(low=0.0, high=max(105.0, *shares), start=left, end=WIDTH - 20)
    parts = [x_axis(scale, 4, height + 4, lambda x: f"{x:g} %"), *_labels(rows, left)]
    parts.append(line(scale.at(100), 4, scale.at(100), height + 4, "roof"))
    parts += [mark(scale.at(share_of_ceiling(e, ceilings)), _middle(y, rows), n) for y, n, e in places(rows)]
    parts.append(text(WIDTH - 20, height + 34, f"100 %: {'; '.join(roofs)}", "end", "t"))
    return _with_legend(section, rows, picture(WIDTH, height + 40, f"{section.name}: rates and ceilings", parts))


def samples_chart(label: str, variants: tuple[Taken, ...], levels: int) -> Markup:
    """Every sample by process; ``levels``: how many heights are told apart, the fewer the smaller the file."""
    low, high = limits(variants)
    processes = [p for variant in variants for p, _, _ in variant.samples()]
    across = Scale(low=min(processes) - 0.5, high=max(processes) + 0.5, start=64, end=326)
    up = Scale(low=low, high=high, start=108, end=22)
    size = 86 / levels
    parts = [text(64, 12, escape(label, 42), class_="b"), y_axis(up, 64, 326, lambda t: quantity(t, "s"))]
    parts += [text(across.at(p), 124, str(p), "middle", "t") for p in {min(processes), max(processes)}]
    parts.append(text(195, 124, "process", "middle", "t"))
    for place, variant in enumerate(variants):
        shift = (place - (len(variants) - 1) / 2) * 0.8 / len(variants)
        for wanted, class_, draw in ((False, f"d{variant.number % 7}", dots), (True, "flag", crosses)):
            points = [
                (across.at(p + shift), round((up.at(t) - 22) / size) * size + 22)
                for p, t, flagged in variant.samples()
                if flagged == wanted
            ]
            parts.append(draw(points, class_))
        middles = ((across.at(p + shift), up.at(t)) for p, t in variant.middles().items())
        ticks = "".join(f"M{x - 4:.0f} {y:.0f}h8" for x, y in middles)
        parts.append(element("path", d=ticks, class_=f"s{variant.number % 7}") if ticks else Markup(""))
    return picture(334, 130, f"samples of {escape(label)} by process", parts)


def course_chart(section: Section) -> Markup:
    """How every case and the metronomes moved about their own middle while the run went on."""
    shown, beats = courses(section)[:MOST_LINES], metronome_courses(section)
    if not shown:
        return Markup("")
    everything = [course for _, course in (*shown, *beats)]
    processes = [p for course in everything for p in course.processes]
    percents = [y for course in everything for y in course.percents]
    across = Scale(low=min(processes), high=max(processes), start=64, end=WIDTH - 20)
    up = Scale(low=min(percents), high=max(percents), start=170, end=8)
    parts = [y_axis(up, 64, WIDTH - 20, lambda y: f"{y:+g} %" if y else "0 %")]
    parts += [x_axis(across, 8, 170, lambda x: f"{x:g}")]
    drawn_as = [(f"c{n % 7}", c) for n, c in shown]
    drawn_as += [(f"beat beat{i % 3}", c) for i, (_, c) in enumerate(beats)]
    for class_, course in drawn_as:
        at = [f"{across.at(p):.0f} {up.at(y):.0f}" for p, y in zip(course.processes, course.percents, strict=True)]
        parts.append(element("path", d="M" + "L".join(at), class_=class_))
    strokes = ("", " dashed", " dotted")
    names = ", ".join(f"{escape(name, 24)}{strokes[i % 3]}" for i, (name, _) in enumerate(beats))
    told = f"; metronomes in grey: {names}" if names else ""
    parts.append(text(WIDTH - 20, 202, f"process, in the order of the run{told}", "end", "t"))
    drawn = picture(WIDTH, 208, f"{section.name}: the course of the run", parts)
    return drawn + legend(section.numbered({n for n, _ in shown}))


def _frame(rows: tuple[Line, ...]) -> tuple[float, float]:
    """Room for the labels at the left, and the height of all rows."""
    longest = max(len(escape(row.label, _LONGEST_LABEL)) for row in rows)
    return 16 + longest * _CHARACTER, len(rows) * _step(rows)


def _step(rows: tuple[Line, ...]) -> float:
    """Pixels per row, more where variants share one."""
    return max(_ROW, 6 + 13.0 * max(len(row.estimates) for row in rows))


def _middle(y: float, rows: tuple[Line, ...]) -> float:
    return 4 + (y + 0.5) * _step(rows)


def _labels(rows: tuple[Line, ...], left: float) -> list[Markup]:
    at = enumerate(rows)
    return [text(left - 8, _middle(y, rows) + 4, escape(row.label, _LONGEST_LABEL), "end") for y, row in at]


def _with_legend(section: Section, rows: tuple[Line, ...], drawn: Markup) -> Markup:
    return drawn + legend(section.numbered({n for row in rows for n, _ in row.estimates}))
