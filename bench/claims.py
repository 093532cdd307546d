"""What somebody says of a benchmark, to be confirmed or refuted: ``lower higher unchanged close identical``."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from bench.errors import BenchError, SuiteError, hint
from bench.metrics import TIME_SIBLINGS, kind
from bench.model import Claim, ClaimKind, Point, Value, make_point

# Kinds of numbers that only a phase has, and those that a phase may have; the others belong to the subject as a whole.
_OF_PHASES = ("time", "first_call", "memory/peak", "memory/reserved", "rate/flops", "rate/bytes")
_BY_PHASE = (*_OF_PHASES, "work/flops(torch)", "work/flops(formula)")


def lower(metric: str, **limits: Any) -> Claim:
    """The variant's metric is lower than the baseline's, by more than the margin ``within``.

    Limits, of every claim: ``of`` (a variant or several; default: all but the baseline), ``within`` (margin, ``"1%"``),
    ``on`` (``"cpu"`` or ``"cuda"``), ``at`` (axis values), ``note`` (where the claim comes from).
    """
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
    **unknown: Any,
) -> Claim:
    call = f'{kind_}("{metric}")'
    for word in unknown:
        raise SuiteError(f"{call} takes no {word!r}: {hint(word, ('of', 'within', 'on', 'at', 'note'), 'it takes')}")
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
    margin = parse_fraction(within, where=f"{call}: within")
    return Claim(kind=kind_, metric=metric, of=names, note=note, within=margin, on=on, at=make_point(at or {}))


def parse_fraction(text: str | float, *, where: str) -> float:
    """``"1%"`` or ``0.01`` -> 0.01; the error names ``where``."""
    try:
        value = float(text[:-1]) / 100 if isinstance(text, str) and text.endswith("%") else float(text)
    except (TypeError, ValueError):
        value = -1.0
    if not 0 <= value < 1:
        raise SuiteError(f'{where}={text!r} must be a share from 0 to below 1: write "1%" or 0.01')
    return value


def check_claim(
    name: str, claim: object, *, variants: Sequence[str], phases: Sequence[str], points: Sequence[Point]
) -> None:
    """Raise SuiteError when a claim speaks of something that benchmark ``name`` does not have."""
    if not isinstance(claim, Claim):
        raise SuiteError(f'{name}: claims are written higher("time", of="…"), lower, unchanged, close or identical')
    where = f"{name}: {claim.text}"
    if len(variants) < 2:
        raise SuiteError(f"{where} needs a second variant to be compared with {variants[0]!r}")
    for variant in claim.of:
        if variant not in variants:
            raise SuiteError(f"{where} names an unknown variant; {hint(variant, variants, 'the variants are')}")
        if variant == variants[0]:
            raise SuiteError(f"{where} speaks of the baseline; a claim is on a variant against {variant!r}")
    _check_phase(where, claim, phases)
    _check_limits(where, claim, points)


def _check_phase(where: str, claim: Claim, phases: Sequence[str]) -> None:
    """A misspelt phase or sibling would make a claim that nothing can confirm or refute."""
    of_what = kind(claim.metric)
    phase, _, sibling = claim.metric.removeprefix(of_what).removeprefix("/").partition("/")
    known = phases if of_what in _BY_PHASE else ()
    if of_what in _OF_PHASES and not phases:
        raise SuiteError(f"{where} needs a phase, and phases=() measures none")
    if phase and phase not in known:
        instead = hint(phase, known, "the phases are") if known else f'write "{of_what}"'
        raise SuiteError(f"{where} speaks of {phase!r}; {instead}")
    if sibling and of_what != "time":
        raise SuiteError(f'{where} speaks of {sibling!r}; write "{of_what}/{phase}"')
    if sibling and sibling not in TIME_SIBLINGS:
        raise SuiteError(f"{where} speaks of {sibling!r}; {hint(sibling, TIME_SIBLINGS, 'a time has')}")


def _check_limits(where: str, claim: Claim, points: Sequence[Point]) -> None:
    axes = sorted({axis for point in points for axis, _ in point})
    for axis, value in claim.at:
        if axis not in axes:
            raise SuiteError(f"{where} is limited to an unknown axis; {hint(axis, axes, 'the axes are')}")
        values = list(dict.fromkeys(dict(point).get(axis) for point in points))
        if value not in values:
            raise SuiteError(f"{where} is limited to {axis}={value!r}, which no point has; {axis} is one of {values}")
