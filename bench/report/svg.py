"""Small charts for the HTML report, as inline SVG: they take the page's colours, dark or light, and print.

A user unit is a CSS pixel.  Classes ``v0``, ``v1`` … are variants; the style sheet gives them their colours.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from bench.report.words import escape


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """From values to pixels along one axis, evenly or by logarithm."""

    low: float
    high: float
    start: float
    end: float
    is_log: bool = False

    def at(self, value: float) -> float:
        """The pixel of a value; values beyond the ends stand at them."""
        low, high = self.low, self.high
        if self.is_log:
            low, high, value = math.log(low), math.log(high), math.log(value)
        part = (value - low) / (high - low) if high > low else 0.5
        return self.start + min(1.0, max(0.0, part)) * (self.end - self.start)

    def ticks(self, most: int = 6) -> tuple[float, ...]:
        """Round values between the ends, at most about ``most``."""
        return _log_ticks(self.low, self.high, most) if self.is_log else _even_ticks(self.low, self.high, most)


def _even_ticks(low: float, high: float, most: int) -> tuple[float, ...]:
    if not high > low:
        return (low,)
    rough = (high - low) / most
    power = 10.0 ** math.floor(math.log10(rough))
    step = next(step for step in (power, 2 * power, 5 * power, 10 * power) if step >= rough * 0.999)
    first = math.ceil(low / step - 1e-9)
    return tuple(round(i * step, 12) for i in range(first, math.floor(high / step + 1e-9) + 1))


def _log_ticks(low: float, high: float, most: int) -> tuple[float, ...]:
    for steps in ((1, 1.2, 1.5, 2, 3, 5, 7), (1, 1.5, 2, 3, 5), (1, 2, 5), (1,)):
        decades = range(math.floor(math.log10(low)), math.ceil(math.log10(high)) + 1)
        found = tuple(s * 10.0**d for d in decades for s in steps if low <= s * 10.0**d <= high)
        if len(found) <= most:
            return found
    return found


def number(value: float) -> str:
    """A coordinate, to a tenth of a pixel."""
    return f"{value:.1f}".removesuffix(".0")


def element(tag: str, content: Markup | str = "", **attributes: object) -> Markup:
    """One element; an underscore at an attribute's end is dropped, one inside is a hyphen; text is escaped."""
    named = "".join(
        Markup(' {}="{}"').format(name.rstrip("_").replace("_", "-"), number(v) if isinstance(v, float) else v)
        for name, v in attributes.items()
    )
    inside = content if isinstance(content, Markup) else Markup("{}").format(escape(content))
    return Markup("<{0}{1}>{2}</{0}>").format(tag, Markup(named), inside) if inside else Markup(f"<{tag}{named}/>")


def picture(width: float, height: float, title: str, parts: Iterable[Markup]) -> Markup:
    """A whole chart, named for those who cannot see it; without a title it is decoration beside words."""
    size = {"viewBox": f"0 0 {number(width)} {number(height)}", "width": number(width), "height": number(height)}
    if not title:
        return element("svg", Markup("").join(parts), **size, aria_hidden="true")
    return element("svg", element("title", title) + Markup("").join(parts), **size, role="img")


def text(x: float, y: float, content: str, anchor: str = "start", class_: str = "") -> Markup:
    """Text with its baseline at y."""
    extra = {"class_": class_} if class_ else {}
    return element("text", content, x=x, y=y, text_anchor=anchor, **extra)


def line(x1: float, y1: float, x2: float, y2: float, class_: str) -> Markup:
    """A stroke from (x1, y1) to (x2, y2)."""
    return element("path", d=f"M{number(x1)} {number(y1)}L{number(x2)} {number(y2)}", class_=class_)


def rectangle(x: float, y: float, width: float, height: float, class_: str) -> Markup:
    """A filled box; (x, y) is its upper left corner."""
    return element("rect", x=x, y=y, width=max(0.0, width), height=height, class_=class_)


# One path per shape about (0, 0), so that variants are told apart without colour; in the order of style.MARKERS.
_SHAPES = (
    "m-4 0a4 4 0 1 0 8 0a4 4 0 1 0-8 0z",
    "m-3.6-3.6h7.2v7.2h-7.2z",
    "m0-4.6l4.4 8h-8.8z",
    "m0-4.8l4.8 4.8l-4.8 4.8l-4.8-4.8z",
    "m0 4.6l4.4-8h-8.8z",
    "m-1.5-4.5h3v3h3v3h-3v3h-3v-3h-3v-3h3z",
    "m0-1.6l2.6-2.6l1.8 1.8l-2.6 2.4l2.6 2.6l-1.8 1.8l-2.6-2.6l-2.6 2.6l-1.8-1.8l2.6-2.6l-2.6-2.4l1.8-1.8z",
    "m0-5l1.4 3.4h3.6l-2.9 2.2l1.1 3.5l-3.2-2.1l-3.2 2.1l1.1-3.5l-2.9-2.2h3.6z",
)


def mark(x: float, y: float, variant: int) -> Markup:
    """A variant's sign, filled with its colour."""
    return element("path", d=f"M{number(x)} {number(y)}{_SHAPES[variant % len(_SHAPES)]}", class_=f"f{variant % 7}")


def dots(points: Iterable[tuple[float, float]], class_: str) -> Markup:
    """Many small dots as one path; those on one pixel are drawn once."""
    seen = sorted({(round(x), round(y)) for x, y in points})
    return element("path", d="".join(f"M{x} {y}h0" for x, y in seen), class_=class_) if seen else Markup("")


def crosses(points: Iterable[tuple[float, float]], class_: str) -> Markup:
    """Small crosses as one path; those on one pixel are drawn once."""
    seen = sorted({(round(x), round(y)) for x, y in points})
    path = "".join(f"M{x - 2} {y - 2}l4 4m0-4l-4 4" for x, y in seen)
    return element("path", d=path, class_=class_) if seen else Markup("")


def x_axis(scale: Scale, top: float, bottom: float, said: Callable[[float], str]) -> Markup:
    """Grid lines with their values under them."""
    ticks = scale.ticks()
    grid = "".join(f"M{number(scale.at(t))} {number(top)}V{number(bottom)}" for t in ticks)
    labels = [text(scale.at(t), bottom + 14, said(t), "middle", "t") for t in ticks]
    return element("path", d=grid, class_="g") + Markup("").join(labels)


def y_axis(scale: Scale, left: float, right: float, said: Callable[[float], str]) -> Markup:
    """Grid lines with their values at their left."""
    ticks = scale.ticks(4)
    grid = "".join(f"M{number(left)} {number(scale.at(t))}H{number(right)}" for t in ticks)
    labels = [text(left - 4, scale.at(t) + 4, said(t), "end", "t") for t in ticks]
    return element("path", d=grid, class_="g") + Markup("").join(labels)


def legend(variants: Sequence[tuple[int, str]]) -> Markup:
    """Signs and names of variants, as HTML that wraps."""
    entries = [
        element("span", picture(12, 12, "", [mark(6, 6, n)]) + Markup(" {}").format(escape(name)), class_="key")
        for n, name in variants
    ]
    return element("p", Markup(" ").join(entries), class_="keys")
