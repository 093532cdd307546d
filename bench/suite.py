"""How a question is written: ``@benchmark``, ``Subject``, ``Settings`` and the five claims.  Everything authors import.

Declarations are checked where they are written, and every SuiteError says what to write instead.
"""

from __future__ import annotations

import difflib
import inspect
import itertools
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from bench.errors import BenchError, SuiteError
from bench.metrics import PHASES, kind
from bench.model import Case, Claim, ClaimKind, Point, Value, make_point

Tier = Literal["smoke", "standard", "large"]
TIERS: tuple[Tier, ...] = ("smoke", "standard", "large")
Axes = Mapping[str, Sequence[Any]] | Sequence[Any] | str

_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.+\-]*\Z")


class Subject:
    """What is measured: a callable (often an ``nn.Module``) and the inputs it is called with.

    backward: ``f(output) -> object`` timed as the phase ``backward`` in place of ``torch.autograd.grad``.
    flops: floating-point operations of one forward call by formula, or a mapping phase -> count.
    bytes_moved: bytes one forward call must at least move, or a mapping phase -> count; gives ``rate/bytes``.
    tolerance: largest relative error against float64 that still counts as ``close`` (default: by dtype).
    """

    __slots__ = ("backward", "bytes_moved", "call", "flops", "inputs", "tolerance")

    def __init__(
        self,
        call: Callable[..., Any],
        *inputs: Any,
        backward: Callable[[Any], Any] | None = None,
        flops: int | Mapping[str, int] | None = None,
        bytes_moved: int | Mapping[str, int] | None = None,
        tolerance: float | None = None,
    ) -> None:
        if not callable(call):
            raise SuiteError(
                f"Subject's first argument must be callable, got {type(call).__name__}: "
                "write Subject(module_or_function, input, …)"
            )
        self.call = call
        self.inputs = inputs
        self.backward = backward
        self.flops = flops
        self.bytes_moved = bytes_moved
        self.tolerance = tolerance


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Process-wide switches as a variant's value: the variant gets workers of its own, still paired in each round.

    None leaves a switch as PyTorch has it.  ``environment`` is set before torch is imported.
    ``matmul_precision``: ``highest``, ``high`` or ``medium``, as in ``torch.set_float32_matmul_precision``.
    """

    cudnn_benchmark: bool | None = None
    cudnn_deterministic: bool | None = None
    cudnn_allow_tf32: bool | None = None
    deterministic_algorithms: bool | None = None
    fill_uninitialized_memory: bool | None = None
    matmul_precision: str | None = None
    mkldnn: bool | None = None
    threads: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Large:
    """An axis value, or a whole point, that only ``--tier large`` measures."""

    value: Any


def large(value: Any) -> Large:
    """Mark an axis value, or a whole point, as one that only ``--tier large`` measures."""
    return Large(value)


def lower(metric: str, **limits: Any) -> Claim:
    """The variant's metric is lower than the baseline's, by more than the margin ``within``."""
    return _claim("lower", metric, **limits)


def higher(metric: str, **limits: Any) -> Claim:
    """The variant's metric is higher than the baseline's, by more than the margin ``within``."""
    return _claim("higher", metric, **limits)


def unchanged(metric: str, **limits: Any) -> Claim:
    """The variant's metric lies within the margin of the baseline's (two one-sided tests; exact metrics exactly)."""
    return _claim("unchanged", metric, **limits)


def close(what: str = "output", **limits: Any) -> Claim:
    """``output`` or ``gradient`` equals the baseline's within the dtype's tolerance, judged against float64."""
    return _claim("close", what, **limits)


def identical(what: str = "output", **limits: Any) -> Claim:
    """``output`` or ``gradient`` equals the baseline's bit for bit."""
    return _claim("identical", what, **limits)


def _claim(
    kind_: ClaimKind,
    metric: str,
    *,
    of: str | Sequence[str] = (),
    note: str = "",
    within: str | float = 0.01,
    on: str = "",
    at: Mapping[str, Value] | None = None,
) -> Claim:
    call = f"{kind_}({metric!r})"
    try:
        of_what = kind(metric)
    except BenchError as error:
        raise SuiteError(f"{call}: {error}") from None
    if (kind_ in ("close", "identical")) != (of_what in ("output", "gradient")):
        raise SuiteError(
            f'{call}: close and identical speak of "output" or "gradient"; lower, higher and unchanged of a number '
            'such as "time" or "memory/peak"'
        )
    if on not in ("", "cpu", "cuda"):
        raise SuiteError(f'{call}: on={on!r} is no device: write on="cpu" or on="cuda"')
    names = (of,) if isinstance(of, str) else tuple(of)
    return Claim(
        kind=kind_,
        metric=metric,
        of=names,
        note=note,
        within=parse_fraction(within, where=f"{call}: within"),
        on=on,
        at=make_point(at or {}),
    )


def parse_fraction(text: str | float, *, where: str) -> float:
    """``"1%"`` or ``0.01`` -> 0.01; the error names ``where``."""
    try:
        value = float(text[:-1]) / 100 if isinstance(text, str) and text.endswith("%") else float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < 1:
        raise SuiteError(f'{where}={text!r} must be a share from 0 to below 1: write "1%" or 0.01')
    return value


@dataclass(frozen=True, slots=True, kw_only=True)
class Benchmark:
    """One question: a build function, its variants (the first is the baseline), axes by device, phases and claims."""

    name: str
    build: Callable[..., Subject]
    variants: Mapping[str, Any]
    axes: Mapping[str, Axes]
    claims: tuple[Claim, ...]
    phases: tuple[str, ...]
    bytes_needed: Callable[..., int] | None
    question: str
    explanation: str

    @property
    def baseline(self) -> str:
        return next(iter(self.variants))

    def settings(self, variant: str) -> Settings | None:
        """The process-wide settings of a variant, or None when it can share a process."""
        value = self.variants[variant]
        return value if isinstance(value, Settings) else None

    def points(self, device: str, tier: Tier) -> tuple[Point, ...]:
        """Points of ``device`` (``cpu`` or ``cuda``) in ``tier``, smallest first; empty when it does not apply."""
        axes = self.axes[device]
        if isinstance(axes, str):
            return ()
        marked = list(_marked_points(axes))
        chosen = [point for point, is_large in marked if tier == "large" or not is_large] or [marked[0][0]]
        return tuple(chosen[:1] if tier == "smoke" else chosen)

    def skip_reason(self, device: str) -> str:
        """Why the benchmark does not apply to ``device``; empty when it does."""
        axes = self.axes[device]
        return axes if isinstance(axes, str) else ""

    def cases(self, suite: str, device: str, tier: Tier) -> tuple[Case, ...]:
        """All cases of a suite's benchmark, group by group, baseline first."""
        return tuple(
            Case(
                suite=suite,
                benchmark=self.name,
                variant=variant,
                baseline=self.baseline,
                point=point,
                device=device,
            )
            for point in self.points(device, tier)
            for variant in self.variants
        )


def _marked_points(axes: Mapping[str, Sequence[Any]] | Sequence[Any]) -> list[tuple[Point, bool]]:
    """Every point with whether it is large: the product of axes, or the points as listed."""
    if isinstance(axes, Mapping):
        rows = [dict(zip(axes, values, strict=True)) for values in itertools.product(*axes.values())]
        return [
            (make_point({k: _plain(v) for k, v in row.items()}), any(isinstance(v, Large) for v in row.values()))
            for row in rows
        ]
    return [(make_point(_plain(row)), isinstance(row, Large)) for row in axes]


def _plain(value: Any) -> Any:
    return value.value if isinstance(value, Large) else value


def benchmark(
    *,
    variants: Mapping[str, Any],
    cpu: Axes,
    cuda: Axes | None = None,
    claims: Sequence[Claim] = (),
    phases: Sequence[str] = ("forward", "backward"),
    bytes_needed: Callable[..., int] | None = None,
) -> Callable[[Callable[..., Subject]], Benchmark]:
    """Declare a question.  The decorated function builds a Subject from a variant's value and a point; it is not timed.

    variants: name -> value; the first is the baseline, the value is the build function's first argument.
    cpu, cuda: axis -> values, or a list of whole points; a string says why the question does not apply there.
        ``cuda`` defaults to ``cpu``.  The first point is the smallest (``--tier smoke``); ``large(value)`` marks
        what only ``--tier large`` measures.
    phases: of ``forward`` (autograd recording), ``backward``, ``inference`` (``torch.no_grad``); empty: checks only.
    bytes_needed: same arguments as the build function; asked before building, and the case is skipped if the
        machine has less.

    Raises SuiteError at once when something is amiss.
    """

    def declare(build: Callable[..., Subject]) -> Benchmark:
        name = getattr(build, "__name__", "?")
        axes = {"cpu": cpu, "cuda": cpu if cuda is None else cuda}
        _check_variants(name, variants)
        for device, declared in axes.items():
            _check_axes(name, device, declared, build)
        _check_phases(name, phases)
        for claim in claims:
            _check_claim(name, claim, variants, axes)
        module = inspect.getmodule(build)
        question = inspect.getdoc(module) if module is not None else None
        return Benchmark(
            name=name,
            build=build,
            variants=dict(variants),
            axes=axes,
            claims=tuple(claims),
            phases=tuple(phases),
            bytes_needed=bytes_needed,
            question=(question or "").strip().split("\n")[0],
            explanation=" ".join((inspect.getdoc(build) or "").split()),
        )

    if callable(variants):
        raise SuiteError("@benchmark needs its arguments: write @benchmark(variants={…}, cpu={…})")
    return declare


def _check_variants(name: str, variants: Mapping[str, Any]) -> None:
    if not isinstance(variants, Mapping) or not variants:
        raise SuiteError(
            f'{name}: variants must be a mapping with the baseline first: variants={{"plain": …, "new": …}}'
        )
    for variant in variants:
        if not isinstance(variant, str) or not _NAME.match(variant):
            raise SuiteError(f"{name}: variant name {variant!r} must be of letters, digits and _ . + -")


def _check_axes(name: str, device: str, axes: Axes, build: Callable[..., Any]) -> None:
    if isinstance(axes, str):
        if not axes.strip():
            raise SuiteError(f'{name}: {device}="" must say why the question does not apply there')
        return
    parameters = list(inspect.signature(build).parameters)
    if not parameters:
        raise SuiteError(f"{name}: the build function takes the variant's value first: write def {name}(value, …)")
    if isinstance(axes, Mapping):
        for axis, values in axes.items():
            if isinstance(values, str) or not isinstance(values, Sequence) or not values:
                raise SuiteError(f"{name}: {device} axis {axis!r} must be a list of values: {axis}=[…]")
    rows = list(axes) if not isinstance(axes, Mapping) else []
    if not isinstance(axes, Mapping) and (not rows or not all(isinstance(_plain(row), Mapping) for row in rows)):
        raise SuiteError(f'{name}: {device} must be {{"axis": [values]}} or a list of points [{{"axis": value}}, …]')
    for point, _ in _marked_points(axes):
        wanted, given = parameters[1:], [axis for axis, _ in point]
        if sorted(wanted) != given:
            raise SuiteError(
                f"{name}: {device} gives the axes {given}, the build function takes {sorted(wanted)}: "
                f"write def {name}({', '.join([parameters[0], *given])})"
            )
        for axis, value in point:
            if not (value is None or isinstance(value, (str, int, float, bool))):
                raise SuiteError(
                    f"{name}: {device} axis {axis!r} has the value {value!r}: use a number or a short name, "
                    "and look objects up by it in the build function"
                )
            if isinstance(value, str) and not _NAME.match(value):
                raise SuiteError(f"{name}: axis value {value!r} must be of letters, digits and _ . + -")


def _check_phases(name: str, phases: Sequence[str]) -> None:
    for phase in phases:
        if phase not in PHASES:
            raise SuiteError(f"{name}: unknown phase {phase!r}: use {', '.join(PHASES)}")


def _check_claim(name: str, claim: Claim, variants: Mapping[str, Any], axes: Mapping[str, Axes]) -> None:
    baseline = next(iter(variants))
    if not isinstance(claim, Claim):
        raise SuiteError(f'{name}: claims are written higher("time", of="…"), lower, unchanged, close or identical')
    for variant in claim.of:
        if variant not in variants:
            near = difflib.get_close_matches(variant, variants, n=1)
            hint = f"did you mean {near[0]!r}?" if near else f"the variants are {', '.join(variants)}"
            raise SuiteError(f"{name}: {claim.text} names an unknown variant; {hint}")
        if variant == baseline:
            raise SuiteError(
                f"{name}: {claim.text} speaks of the baseline; a claim is on a variant against {baseline!r}"
            )
    if len(variants) < 2:
        raise SuiteError(f"{name}: {claim.text} needs a second variant to be compared with {baseline!r}")
    points = [
        point for declared in axes.values() if not isinstance(declared, str) for point, _ in _marked_points(declared)
    ]
    known = sorted({axis for point in points for axis, _ in point})
    for axis, _ in claim.at:
        if axis not in known:
            raise SuiteError(f"{name}: {claim.text} is limited to the unknown axis {axis!r}; the axes are {known}")
