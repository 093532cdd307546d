"""Where a question is asked: the axes of a benchmark and the points they span."""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from bench.errors import SuiteError
from bench.model import Point, format_value, make_point

# axis -> values, or whole points, or why there are none.
Axes = Mapping[str, Sequence[Any]] | Sequence[Any] | str

# What may stand in a case id, a file name and a spreadsheet's cell without quoting.
NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+\-]*\Z")


@dataclass(frozen=True, slots=True)
class Large:
    """An axis value, or a whole point, that only ``--tier large`` measures."""

    value: Any


def large(value: Any) -> Large:
    """Mark an axis value, or a whole point, as one that only ``--tier large`` measures."""
    return Large(value)


def marked_points(axes: Axes) -> list[tuple[Point, bool]]:
    """Every point with whether it is large: the product of axes, or the points as listed, or none."""
    if isinstance(axes, str):
        return []
    if not isinstance(axes, Mapping):
        return [(make_point(_plain(row)), isinstance(row, Large)) for row in axes]
    rows = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
    return [
        (make_point({k: _plain(v) for k, v in row.items()}), any(isinstance(v, Large) for v in row.values()))
        for row in rows
    ]


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Large) else value


def check_axes(name: str, device: str, axes: Axes, build: Callable[..., Any]) -> None:
    """Raise SuiteError unless every point of ``axes`` can be built and named."""
    if isinstance(axes, str):
        if not axes.strip():
            raise SuiteError(f'{name}: {device}="" must say why the question does not apply there')
        return
    _check_form(name, device, axes)
    seen: set[str] = set()
    for point, _ in marked_points(axes):
        _check_parameters(name, device, point, build)
        for axis, value in point:
            _check_value(name, device, axis, value)
        text = ",".join(f"{axis}={format_value(value)}" for axis, value in point)
        if text in seen:
            raise SuiteError(f"{name}: {device} names the point [{text}] twice: keep one")
        seen.add(text)


def _check_form(name: str, device: str, axes: Any) -> None:
    if isinstance(axes, Mapping):
        for axis, values in axes.items():
            if isinstance(values, str) or not isinstance(values, Sequence) or not values:
                raise SuiteError(f"{name}: {device} axis {axis!r} must be a list of values: {axis}=[…]")
    elif not isinstance(axes, Sequence) or not axes or not all(isinstance(_plain(row), Mapping) for row in axes):
        raise SuiteError(f'{name}: {device} must be {{"axis": [values]}} or a list of points [{{"axis": value}}, …]')


def _check_parameters(name: str, device: str, point: Point, build: Callable[..., Any]) -> None:
    parameters = inspect.signature(build).parameters
    if not parameters:
        raise SuiteError(f"{name}: the build function takes the variant's value first: write def {name}(value, …)")
    first, *wanted = parameters
    needed = {axis for axis in wanted if parameters[axis].default is inspect.Parameter.empty}
    given = [axis for axis, _ in point]
    if not needed <= set(given) <= set(wanted):
        raise SuiteError(
            f"{name}: {device} gives the axes {given}, the build function takes {sorted(wanted)}: "
            f"write def {name}({', '.join([first, *given])})"
        )


def _check_value(name: str, device: str, axis: str, value: Any) -> None:
    if not (value is None or isinstance(value, (str, int, float, bool))):
        raise SuiteError(
            f"{name}: {device} axis {axis!r} has the value {value!r}: use a number or a short name, "
            "and look objects up by it in the build function"
        )
    if isinstance(value, str) and not NAME.match(value):
        raise SuiteError(f"{name}: {device} axis value {value!r} must be of letters, digits and _ . + -")
