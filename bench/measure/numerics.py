"""How far a variant's results are from its baseline's: by bits, and by distance from a float64 reference."""

from __future__ import annotations

import copy
import math
from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from bench.measure.bits import Named, relative_error, same_bits
from bench.measure.state import untouched
from bench.measure.subject import cotangents, leaves, require_gradients, seed_everything, tensors_in
from bench.model import Check
from bench.suite import Subject

# torch.testing.assert_close's relative tolerances by dtype.  Errors here are relative to the largest element of the
# reference; for fp32 ten times as much, because a sum of some thousand products grows past one rounding, where the
# half-precision types are summed in fp32 and rounded once.
TOLERANCE = {
    torch.float64: 1e-6,
    torch.float32: 1.3e-5,
    torch.float16: 1e-3,
    torch.bfloat16: 1.6e-2,
}
# A variant this many times as far from float64 as its baseline is no worse for any practical purpose.
AS_COARSE = 2.0


def outputs(subject: Subject, seed: int) -> Named:
    """``output/0``, … of one call that is seeded and leaves no trace."""
    with untouched(subject):
        return called(subject, seed)


def called(subject: Subject, seed: int) -> Named:
    """The same, and what it leaves behind stays."""
    seed_everything(seed)
    with torch.no_grad():
        return {f"output/{i}": t.detach().clone() for i, t in enumerate(tensors_in(subject.call(*subject.inputs)))}


def gradients(subject: Subject, seed: int) -> Named:
    """Gradients of inputs and parameters by name, for the fixed random cotangent; empty if nothing has one."""
    require_gradients(subject)
    with untouched(subject):
        seed_everything(seed)
        made = [t for t in tensors_in(subject.call(*subject.inputs)) if t.requires_grad]
        wanted = leaves(subject)
        if not made or not wanted:
            return {}
        found = torch.autograd.grad(made, list(wanted.values()), cotangents(made, seed), allow_unused=True)
    return {name: g.detach() for name, g in zip(wanted, found, strict=True) if g is not None}


def checks(baseline: Subject, variant: Subject, *, backward: bool, seed: int) -> tuple[Check, ...]:
    """``output`` and, with ``backward``, ``gradient`` of a variant against the baseline."""
    found = [_compare("output", baseline, variant, seed, outputs)]
    if backward and baseline.backward is None and variant.backward is None:
        found.append(_compare("gradient", baseline, variant, seed, gradients))
    return tuple(found)


def _compare(
    what: str, baseline: Subject, variant: Subject, seed: int, results: Callable[[Subject, int], Named]
) -> Check:
    ours, theirs = results(baseline, seed), results(variant, seed)
    common = [name for name in ours if name in theirs]
    wrong = next((n for n in common if ours[n].shape != theirs[n].shape), None)
    if not common or wrong:
        shapes = f": {wrong} is {tuple(theirs[wrong].shape)}, not {tuple(ours[wrong].shape)}" if wrong else ""
        return Check(what=what, level="numeric", verdict="different", reason=f"nothing to compare{shapes}")
    if all(same_bits(ours[n], theirs[n]) for n in common):
        return Check(what=what, level="numeric", verdict="identical", error=0.0)
    reference, reason = in_double_precision(baseline, seed, results)
    reference = reference or ours
    error = max(relative_error(theirs[n], reference[n]) for n in common if n in reference)
    own = max(relative_error(ours[n], reference[n]) for n in common if n in reference)
    allowed = _tolerance(variant, theirs.values())
    if math.isfinite(own):  # where TF32 makes the baseline itself coarse, a variant may be as coarse
        allowed = max(allowed, AS_COARSE * own)
    return Check(
        what=what,
        level="numeric",
        verdict="close" if error <= allowed else "different",
        reason=reason,
        error=error,
        baseline_error=own,
        tolerance=allowed,
        relative=max(relative_error(theirs[n], ours[n]) for n in common),
    )


def in_double_precision(
    subject: Subject, seed: int, results: Callable[[Subject, int], Named]
) -> tuple[Named | None, str]:
    """The baseline's results in float64, or None and why there are none."""
    try:
        return results(in_double(subject), seed), ""
    except (RuntimeError, TypeError, ValueError) as error:
        return None, f"no float64 reference ({str(error).splitlines()[0][:80]}): compared with the baseline itself"


def in_double(subject: Subject) -> Subject:
    """A copy with float64 (complex128) inputs and, for a module, float64 weights."""
    call = copy.deepcopy(subject.call).double() if isinstance(subject.call, nn.Module) else subject.call
    return Subject(call, *(_double(x) for x in subject.inputs), backward=subject.backward)


def _double(value: Any) -> Any:
    if not isinstance(value, torch.Tensor) or not (value.is_floating_point() or value.is_complex()):
        return value
    wide = torch.complex128 if value.is_complex() else torch.float64
    return value.detach().to(wide).requires_grad_(value.requires_grad)


def _tolerance(subject: Subject, tensors: Any) -> float:
    if subject.tolerance is not None:
        return subject.tolerance
    return max((TOLERANCE.get(t.dtype, 0.0) for t in tensors), default=0.0)
