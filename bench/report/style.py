"""How every picture looks: one palette, one marker per variant, sizes that print; the only place with colours."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.report.words import escape
from bench.store import write_atomically

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Okabe and Ito, "Color Universal Design" (2008): told apart with any colour vision.  Their yellow is left out (it
# vanishes on white) and their black is a dark grey.  The baseline is always the first.
COLOURS = ("#404040", "#0072B2", "#D55E00", "#009E73", "#E69F00", "#CC79A7", "#56B4E9")
# As many as are told apart in grey; one more than the colours, so that a pair repeats only after 56 variants.
MARKERS = ("o", "s", "^", "D", "v", "P", "X", "*")
HATCHES = ("", "///", "...", "\\\\\\", "xxx", "---", "+++", "ooo")
FLAGGED = "#A00000"
FAINT = "#9A9A9A"

WIDTH = 7.2  # inches: the text width of a printed page
INCH_PER_CHARACTER = 0.068  # of the 8 point sans serif of tick labels
_LONGEST_NAME = 24  # characters of a variant
DOTS_PER_INCH = 150

RC: Any = {
    "font.family": "DejaVu Sans",
    "font.size": 8,
    "axes.titlesize": 9,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "axes.formatter.useoffset": False,
    "grid.color": "#DDDDDD",
    "grid.linewidth": 0.6,
    "legend.frameon": False,
    "lines.markersize": 4.5,
    "svg.fonttype": "none",  # text stays text: small, searchable, read aloud
    "svg.hashsalt": "bench",  # same records, same bytes
    "text.parse_math": False,  # a name with a $ is a name
    "figure.facecolor": "white",
    "hatch.linewidth": 0.5,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Look:
    """How a variant is drawn, everywhere."""

    colour: str
    marker: str
    hatch: str


def look(index: int) -> Look:
    """The look of a benchmark's n-th variant, counted as declared; the baseline is number 0."""
    return Look(
        colour=COLOURS[index % len(COLOURS)],
        marker=MARKERS[index % len(MARKERS)],
        hatch=HATCHES[index % len(HATCHES)],
    )


@contextmanager
def drawing() -> Iterator[None]:
    """Matplotlib set to this style, and to no warnings about signs that its font lacks; restored afterwards."""
    import warnings

    import matplotlib as mpl

    with mpl.rc_context(RC), warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from font")
        yield


def sheet(title: str, below: str, width: float, body: float) -> Figure:
    """A figure ``width`` inches wide: a bold heading, a quieter line, and ``body`` inches under them to be filled."""
    import textwrap

    from matplotlib.figure import Figure

    lines = textwrap.wrap(escape(title, 300), int((width - 0.2) / 0.078)) or [""]
    height = body + 0.16 * len(lines) + 0.36
    figure = Figure(figsize=(width, height), dpi=DOTS_PER_INCH)
    left, under = 0.1 / width, 0.12 + 0.16 * len(lines)
    figure.text(left, 1 - 0.1 / height, "\n".join(lines), va="top", fontsize=9, fontweight="bold", linespacing=1.25)
    figure.text(left, 1 - under / height, escape(below, int((width - 0.2) / 0.066)), va="top", color="#555555")
    return figure


def panel(figure: Figure, left: float, bottom: float, width: float, height: float) -> Axes:
    """Axes at a place given in inches: laid out by arithmetic, which costs nothing and never surprises."""
    across, up = figure.get_size_inches()
    return figure.add_axes((left / across, bottom / up, width / across, height / up))


def dot(number: int, name: str) -> Artist:
    """A legend's entry for a variant that is drawn as marks."""
    from matplotlib.lines import Line2D

    return Line2D([], [], linestyle="", marker=look(number).marker, color=look(number).colour, label=name)


def bar(number: int, name: str) -> Artist:
    """A legend's entry for a variant that is drawn as bars."""
    from matplotlib.patches import Patch

    return Patch(facecolor=look(number).colour, hatch=look(number).hatch, edgecolor="white", label=name)


@dataclass(frozen=True, slots=True, kw_only=True)
class Legend:
    """Which variants a figure shows, by number and name, and what else its marks mean; it stands at the bottom."""

    variants: tuple[tuple[int, str], ...]
    aside: str = ""
    entry: Callable[[int, str], Artist] = dot

    @property
    def columns(self) -> int:
        """As many as fit beside ``aside``."""
        widest = 0.5 + INCH_PER_CHARACTER * max(len(escape(name, _LONGEST_NAME)) for _, name in self.variants)
        return max(1, int((WIDTH - 0.3 - INCH_PER_CHARACTER * len(self.aside)) / widest))

    @property
    def height(self) -> float:
        """Inches to keep free for it."""
        return 0.1 + 0.17 * -(-len(self.variants) // self.columns)

    def draw(self, figure: Figure) -> None:
        handles = [self.entry(number, escape(name, _LONGEST_NAME)) for number, name in self.variants]
        figure.legend(handles=handles, loc="lower left", ncols=self.columns, borderaxespad=0.3, columnspacing=1.2)
        across, up = figure.get_size_inches()
        figure.text(1 - 0.1 / across, 0.1 / up, self.aside, ha="right", color="#555555")


def save(figure: Figure, stem: Path) -> tuple[Path, Path]:
    """Write a figure as SVG and PNG beside each other; the bytes depend on the figure alone."""
    no_dates: dict[str, dict[str, Any]] = {"svg": {"Date": None, "Creator": None}, "png": {"Software": None}}
    paths = []
    for kind, metadata in no_dates.items():
        content = io.BytesIO()
        figure.savefig(content, format=kind, metadata=metadata)
        paths.append(stem.with_name(f"{stem.name}.{kind}"))
        write_atomically(paths[-1], content.getvalue())
    return paths[0], paths[1]
