"""How a calibration is shown: a table of error rates, and a power curve per case."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

from bench.analysis.rates import Calibration, CaseCalibration, Rate, power, sentence
from bench.report.style import FAINT, WIDTH, drawing, look, panel, save, sheet
from bench.report.words import escape, percent_tick, share

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from rich.console import Console

_LARGEST = 0.5  # slowdowns beyond 50 % are not what a gate is for


def show(calibration: Calibration, console: Console) -> None:
    """Print the rates of each case's metrics, then the whole gate's."""
    from rich.text import Text

    titles = ["", "runs' sd", "false alarms", "sees", *(f"+{share(i.share)} found" for i in calibration.injected)]
    rows = [titles, *(_row(case) for case in calibration.cases)]
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [_columns(row, widths) for row in rows]
    console.print(Text(lines[0], style="bold"))
    for name, cases in groupby(zip(calibration.cases, lines[1:], strict=True), key=lambda shown: shown[0].case):
        console.print(Text(escape(name)))
        for _, text in cases:
            console.print(Text(text))
    console.print()
    for injected in calibration.injected:
        told = f"+{share(injected.share)} planted in every case: {_rate(injected.found)} found"
        console.print(Text(told))
    console.print(Text(sentence(calibration), style="bold"))


def _columns(cells: Sequence[str], widths: Sequence[int]) -> str:
    numbers = (cell.rjust(width) for cell, width in zip(cells[1:], widths[1:], strict=True))
    return "   ".join([f"  {cells[0]:{widths[0]}}", *numbers])


def _row(case: CaseCalibration) -> list[str]:
    sees = "needs 3 runs" if case.smallest_change is None else f">= {share(case.smallest_change)}"
    found = [share(injected.found.share) for injected in case.injected]
    return [case.metric, share(case.between_runs), _rate(case.false_alarms), sees, *found]


def _rate(rate: Rate) -> str:
    return f"{share(rate.share)} [{share(rate.low)}, {share(rate.high)}]"


def write_picture(calibration: Calibration, folder: Path) -> tuple[Path, ...]:
    """``calibration.svg`` and ``.png``: for each case, the share of comparisons that tell a slowdown of each size."""
    with drawing():
        alarms = f"{calibration.runs} runs of the same code; false alarms in {_rate(calibration.false_alarms)} of pairs"
        figure = sheet("How small a slowdown is told?", alarms, WIDTH, 3.6)
        axes = panel(figure, 0.75, 0.5, WIDTH - 0.95, 2.9)
        for case in calibration.cases:
            _curve(axes, case)
        _middle(axes, calibration.cases)
        axes.set_xlabel("true slowdown")
        axes.set_ylabel("share of comparisons that tell it")
        axes.xaxis.set_major_formatter(lambda x, _: percent_tick(1 + x))
        axes.yaxis.set_major_formatter(lambda y, _: f"{100 * y:g} %")
        axes.set_ylim(-0.02, 1.02)
        axes.set_xlim(0, max(0.1, _reach(calibration.cases)))
        axes.legend(loc="lower right")
        return save(figure, folder / "calibration")


def _reach(cases: Sequence[CaseCalibration]) -> float:
    return min(_LARGEST, 1.1 * max((case.visible[-1] for case in cases), default=0.0))


def _curve(axes: Axes, case: CaseCalibration) -> None:
    steps = [0.0, *case.visible, _LARGEST]
    axes.step(steps, [power(case, step) for step in steps], where="post", color=FAINT, linewidth=0.7)
    for injected in case.injected:
        axes.plot([injected.share], [injected.found.share], ".", color=look(1).colour, alpha=0.5, zorder=3)


def _middle(axes: Axes, cases: Sequence[CaseCalibration]) -> None:
    steps = sorted({0.0, _LARGEST, *(step for case in cases for step in case.visible)})
    mean = [sum(power(case, step) for case in cases) / len(cases) for step in steps]
    axes.step(steps, mean, where="post", color=look(0).colour, linewidth=2, label="mean of all cases")
    axes.plot([], [], color=FAINT, linewidth=0.7, label="one case")
    if any(case.injected for case in cases):
        axes.plot([], [], ".", color=look(1).colour, label="one case, planted slowdown")
