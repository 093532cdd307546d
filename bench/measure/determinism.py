"""Inside a worker: whether a case repeats its own bits, in this process and against what another process kept."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field, replace

import torch
from torch import nn

from bench.analysis.determinism_words import shown, worst
from bench.measure.bits import (
    Named,
    describe,
    differing,
    digest,
    digest_of_all,
    errors,
    wider,
    widest_error,
    widest_ulp,
)
from bench.measure.determinism_kept import Kept, read_kept, write_kept
from bench.measure.messages import Probe
from bench.measure.numerics import called, gradients, in_double_precision, outputs
from bench.measure.operators import operators
from bench.measure.state import Snapshot, untouched
from bench.measure.subject import seed_everything, tensors_in
from bench.model import Check, Repeatability
from bench.suite import Subject

Results = Callable[[Subject, int], Named]

# What freed memory is filled with before each repeat: zeros, which hide a read of memory that nobody wrote, never twice
# in a row; all ones are NaN.
_PATTERNS = (0x5A, 0xFF, 0x00, 0xA5)
# Sizes of intermediate results are not known: small ones are dirtied at every power of two, with those of the results.
_SMALL_BYTES = tuple(1 << power for power in range(6, 17))
_LARGEST_DIRTIED = 1 << 28
_FEWEST = 5  # repeats without a difference: fewer than 45 % differ
_GIVEN = "given"


def probe(subject: Subject, request: Probe, *, backward: bool) -> tuple[dict[str, float | str], tuple[Check, ...]]:
    """Hashes (``bits/output``, ``bits/gradient``) and checks of one case; ``backward``: of its gradients too."""
    asked: dict[str, Results] = {"output": outputs, "gradient": gradients} if backward else {"output": outputs}
    given = _given(subject) if request.keep else {}
    habits = _habits(subject, request.case.seed) if request.repeats else _Habits()
    earlier = read_kept(request.against) if request.against else {}
    kept: dict[str, Kept] = {}
    values: dict[str, float | str] = {}
    checks: list[Check] = []
    for what, results in asked.items():
        found = habits.first if what == "output" and habits.first else results(subject, request.case.seed)
        if not found:
            continue
        digests = {name: digest(tensor) for name, tensor in found.items()}
        values[f"bits/{what}"] = digest_of_all(digests)
        if request.repeats:
            check = _repeat(subject, what, results, found, habits, request)
            checks.append(_with_distances(check, found, earlier[what]) if what in earlier else check)
            if check.verdict == "differs":
                values[f"bits/{what}"] = "differs"  # any one hash would be an accident
        elif what in earlier:
            check = _against(what, found, digests, earlier[what], request)
            checks.append(_with_blame(check, subject, earlier[_GIVEN]) if check.differing else check)
        if request.keep:
            reference = _reference(subject, results, request)
            kept[what] = Kept(digests=digests, tensors=found, reference=reference)
    if request.keep:
        write_kept({**kept, _GIVEN: Kept(digests=given)}, request.keep)
    return values, tuple(checks)


def _given(subject: Subject) -> dict[str, str]:
    """Hashes of what a call is given, before it is called."""
    state = subject.call.state_dict(keep_vars=True) if isinstance(subject.call, nn.Module) else {}
    named = {f"input/{i}": x for i, x in enumerate(tensors_in(subject.inputs))}
    named |= {f"parameter/{name}": x for name, x in state.items() if isinstance(x, torch.Tensor)}
    return {name: digest(x) for name, x in named.items()}


def operators_of(subject: Subject, request: Probe, *, backward: bool) -> tuple[str, ...]:
    """What a call and its gradient run: told once, where the whole matrix is asked for."""
    if request.level != "full" or request.knobs or not request.repeats:
        return ()
    results = gradients if backward else outputs
    return operators(lambda: results(subject, request.case.seed))


def _reference(subject: Subject, results: Results, request: Probe) -> Named:
    """The results in float64, for the distances of the knob matrix."""
    if request.level != "full" or request.knobs:
        return {}
    return in_double_precision(subject, request.case.seed, results)[0] or {}


# --- in one process --------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True, kw_only=True)
class _Habits:
    """What a call does besides computing.  ``mutates``, ``carries``: a sentence about it, or empty.

    ``first``: the results of the very first call, which a cache may have made unlike all others.
    """

    first: Named = field(default_factory=dict)
    mutates: str = ""
    carries: str = ""
    draws: bool = False


def _habits(subject: Subject, seed: int) -> _Habits:
    """Look at two calls in a row, the second one with the state that the first one left."""
    with untouched(subject):
        seed_everything(seed)  # as ``called`` does first of all, so that a generator that moved was drawn from
        with untouched(subject) as before:
            return _look(subject, seed, before)


def _look(subject: Subject, seed: int, before: Snapshot) -> _Habits:
    first = called(subject, seed)
    inputs, state, draws = before.changed_inputs(), before.changed_state(), before.drew_random_numbers()
    carries = ""
    if state:
        before.restore_all_but_state()
        if differing(called(subject, seed), first):
            carries = f"depends on what earlier calls left in {_listed(state)}, which is put back for each repeat"
    return _Habits(first=first, mutates=f"changes {_listed(inputs)}" if inputs else "", carries=carries, draws=draws)


@dataclass(slots=True)
class _Tally:
    """What repeats came to, one after another, against the ``first`` call."""

    first: Named
    second: Named = field(default_factory=dict)
    repeats: int = 0
    differing: int = 0
    agreeing: bool = True  # with each other, those that differ from the first
    difference: str = ""
    ulp: float | None = None
    relative: float | None = None

    def add(self, again: Named) -> None:
        self.repeats += 1
        self.second = self.second or again
        if name := differing(again, self.first):
            self.differing += 1
            self.agreeing = self.agreeing and not differing(again, self.second)
            self.difference = self.difference or describe(name, again, self.first)
            self.ulp = wider(self.ulp, widest_ulp(again, self.first))
            self.relative = wider(self.relative, widest_error(again, self.first))

    def told(self) -> tuple[str, ...]:
        """Sentences, of which some are empty."""
        alone = self.agreeing and 1 < self.repeats == self.differing
        lonely = "they agree with each other, only the first call does not" if alone else ""
        return shown(self.repeats, self.differing), lonely, self.difference


def _repeat(subject: Subject, what: str, results: Results, first: Named, habits: _Habits, request: Probe) -> Check:
    """Call until repeats or seconds are spent; a slow call gets ten times the seconds for the fewest that say much."""
    tally = _Tally(first)
    start = time.monotonic()
    while tally.repeats < request.repeats and _goes_on(tally.repeats, time.monotonic() - start, request.seconds):
        dirty_allocator((*first.values(), *tensors_in(subject.inputs)), _PATTERNS[tally.repeats % len(_PATTERNS)])
        tally.add(results(subject, request.case.seed))
    verdict = _verdict(what, tally.differing, habits)
    told = (habits.mutates if verdict == "mutates" else "", *tally.told(), habits.carries)
    return Check(
        what=what,
        level=request.level,
        knobs=request.knobs,
        verdict=verdict,
        reason="; ".join(part for part in told if part),
        repeats=tally.repeats,
        differing=tally.differing,
        ulp=tally.ulp,
        relative=tally.relative,
    )


def _goes_on(repeats: int, spent: float, seconds: float) -> bool:
    return repeats == 0 or spent < (seconds if repeats >= _FEWEST else 10 * seconds)


def _verdict(what: str, differed: int, habits: _Habits) -> Repeatability:
    return worst(
        "differs" if differed else "repeats",
        "mutates" if habits.mutates and what == "output" else "repeats",
        "random" if habits.draws else "repeats",
    )


def dirty_allocator(tensors: Iterable[torch.Tensor], pattern: int) -> None:
    """Fill blocks like these with a byte and free them, so that a read of memory nobody wrote shows."""
    known = tuple(tensors)
    for device in {t.device for t in known}:
        sizes = {t.numel() * t.element_size() for t in known if t.device == device}
        wanted = [size for size in (*_SMALL_BYTES, *sorted(sizes)) if size <= _LARGEST_DIRTIED]
        blocks = [torch.empty(size, dtype=torch.uint8, device=device) for size in wanted for _ in range(2)]
        for block in blocks:
            _fill(block, pattern)
        del blocks


def _fill(block: torch.Tensor, pattern: int) -> None:
    if block.is_cpu:
        block.numpy().fill(pattern)  # torch would wake its threads for this
    else:
        block.fill_(pattern)


# --- between processes -----------------------------------------------------------------------------------------------


def _against(what: str, found: Named, digests: dict[str, str], earlier: Kept, request: Probe) -> Check:
    """Whether this process repeats what another one kept."""
    name = next((n for n in {**earlier.digests, **digests} if digests.get(n) != earlier.digests.get(n)), "")
    return Check(
        what=f"{what}/processes",
        level=request.level,
        knobs=request.knobs,
        verdict="differs" if name else "repeats",
        reason=describe(name, found, earlier.tensors) if name else "",
        repeats=1,
        differing=int(bool(name)),
        ulp=widest_ulp(found, earlier.tensors) if name else None,
        relative=widest_error(found, earlier.tensors) if name else None,
    )


def _with_blame(check: Check, subject: Subject, earlier: Kept) -> Check:
    """A difference that was there before the call is not the call's; what a call changes was put back."""
    name = next((n for n, hashed in _given(subject).items() if earlier.digests.get(n) != hashed), "")
    told = f"it was given other values in that process, {name} first; " if name else ""
    return replace(check, reason=told + check.reason)


def _with_distances(check: Check, found: Named, earlier: Kept) -> Check:
    """The check with its distances: to another cell of the knob matrix, and of both to float64."""
    distances = errors(found, earlier.tensors)
    furthest = max(distances, key=distances.__getitem__, default="")
    told = f"; {furthest} is the furthest from the default cell's" if distances.get(furthest) else ""
    return replace(
        check,
        reason=check.reason + told,
        ulp=widest_ulp(found, earlier.tensors),
        relative=distances.get(furthest),
        error=widest_error(found, earlier.reference),
        baseline_error=widest_error(earlier.tensors, earlier.reference),
    )


def _listed(names: tuple[str, ...]) -> str:
    return ", ".join(names[:3]) + (f" and {len(names) - 3} more" if len(names) > 3 else "")
