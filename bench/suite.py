"""How a question is written: ``@benchmark``, ``Subject`` and ``Settings``.

Declarations are checked where they are written, and every SuiteError says what to write instead.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Literal

from bench.axes import NAME, Axes, check_axes, marked_points
from bench.claims import check_claim
from bench.errors import SuiteError
from bench.metrics import PHASES
from bench.model import Case, Claim, Point

Tier = Literal["smoke", "standard", "large"]
TIERS: tuple[Tier, ...] = ("smoke", "standard", "large")


class Subject:
    """What is measured: a callable (often an ``nn.Module``) and the inputs it is called with.

    Tensors among the inputs, and parameters of a module, have the same values in all variants and lie in the same
    place, where shapes and layouts allow; what a function captures is its own affair.

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
    deterministic_algorithms: bool | Literal["warn"] | None = None
    fill_uninitialized_memory: bool | None = None
    matmul_precision: str | None = None
    mkldnn: bool | None = None
    mkldnn_deterministic: bool | None = None
    threads: int | None = None
    environment: Mapping[str, str] = field(default_factory=dict)


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
        marked = marked_points(self.axes[device])
        chosen = [point for point, is_large in marked if tier == "large" or not is_large]
        chosen = chosen or [point for point, _ in marked[:1]]
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


def benchmark(
    build: object = None,
    /,
    *,
    variants: Mapping[str, Any] | None = None,
    cpu: Axes | None = None,
    cuda: Axes | None = None,
    claims: Sequence[Claim] = (),
    phases: Sequence[str] = ("forward", "backward"),
    bytes_needed: Callable[..., int] | None = None,
) -> Callable[[Callable[..., Subject]], Benchmark]:
    """Declare a question.  The decorated function builds a Subject from a variant's value and a point; it is not timed.

    variants: name -> value; the first is the baseline, the value is the build function's first argument.
    cpu, cuda: axis -> values, or a list of whole points; a string says why the question does not apply there.
        ``cuda`` defaults to ``cpu``.  The first point is the smallest (``--tier smoke``); ``large(value)`` marks
        what only ``--tier large`` measures.  An axis that the build function has a default for may be left out.
    claims: what is to be confirmed or refuted: ``lower higher unchanged close identical``.
    phases: of ``forward`` (autograd recording), ``backward``, ``inference`` (``torch.no_grad``); empty: checks only.
    bytes_needed: same arguments as the build function; asked before building, and the case is skipped if the
        machine has less.

    Raises SuiteError at once when something is amiss.
    """
    if build is not None or variants is None or cpu is None:
        raise SuiteError("@benchmark needs its arguments by name: write @benchmark(variants={…}, cpu={…})")

    def declare(build: Callable[..., Subject]) -> Benchmark:
        module = inspect.getmodule(build)
        question = inspect.getdoc(module) if module is not None else None
        declared = Benchmark(
            name=getattr(build, "__name__", "?"),
            build=build,
            variants=variants,
            axes={"cpu": cpu, "cuda": cpu if cuda is None else cuda},
            claims=tuple(_listed("claims", claims)),
            phases=tuple(_listed("phases", phases)),
            bytes_needed=bytes_needed,
            question=(question or "").strip().split("\n")[0],
            explanation=" ".join((inspect.getdoc(build) or "").split()),
        )
        _check(declared)
        return declared

    return declare


def _listed(what: str, values: Any) -> Sequence[Any]:
    if isinstance(values, str) or not isinstance(values, Sequence):
        raise SuiteError(f"{what} must be a list, even of one: write {what}=[…]")
    return values


def _check(b: Benchmark) -> None:
    """Raise SuiteError when a declaration cannot mean what its author thinks."""
    if not b.name.isidentifier():
        raise SuiteError(f"{b.name}: the build function needs a name: write def my_question(value, …)")
    _check_variants(b.name, b.variants)
    for device, axes in b.axes.items():
        check_axes(b.name, device, axes, b.build)
    if b.bytes_needed is not None and _parameters(b.bytes_needed) != _parameters(b.build):
        takes = ", ".join(_parameters(b.build))
        raise SuiteError(f"{b.name}: bytes_needed must take what the build function takes: {takes}")
    for phase in b.phases:
        if phase not in PHASES or b.phases.count(phase) > 1:
            raise SuiteError(f"{b.name}: unknown phase {phase!r}, or twice: use any of {', '.join(PHASES)}")
    points = [point for axes in b.axes.values() for point, _ in marked_points(axes)]
    for claim in b.claims:
        check_claim(b.name, claim, variants=tuple(b.variants), phases=b.phases, points=points)


def _parameters(function: Callable[..., Any]) -> list[str]:
    return list(inspect.signature(function).parameters)


def _check_variants(name: str, variants: object) -> None:
    if not isinstance(variants, Mapping) or not variants:
        raise SuiteError(
            f'{name}: variants must be a mapping with the baseline first: variants={{"plain": …, "new": …}}'
        )
    for variant in variants:
        if not isinstance(variant, str) or not NAME.match(variant):
            raise SuiteError(f"{name}: variant name {variant!r} must be of letters, digits and _ . + -")
