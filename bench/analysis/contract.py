"""What PyTorch documents as nondeterministic, crossed with what was observed.

The table is that of ``torch.use_deterministic_algorithms`` (PyTorch 2.13; a test compares it with the installed one's
docstring).  Operators are those that the dispatcher sees: ``torch.gather`` is documented for its gradient, which is
``scatter_add``; marks such as ``accumulate`` are told in ``bench.measure.operators``.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from bench.model import Record

Behaviour = Literal["raises", "switches"]
Outcome = Literal["seen, not documented", "not as documented", "documented and seen", "documented, not seen"]

SOURCE = "torch.use_deterministic_algorithms, PyTorch 2.13"
# The cell of the knob matrix in which a documented operator must raise or act deterministically.
_ON = "deterministic=on"
_ANY = ("cpu", "cuda")


@dataclass(frozen=True, slots=True, kw_only=True)
class Documented:
    """A line of the documentation: with deterministic algorithms on, ``api`` raises, or acts deterministically."""

    api: str
    operators: tuple[str, ...]
    behaviour: Behaviour
    devices: tuple[str, ...] = ("cuda",)


def _switches(api: str, *operators: str, devices: tuple[str, ...] = ("cuda",)) -> Documented:
    return Documented(api=api, operators=operators, behaviour="switches", devices=devices)


def _raises(api: str, *operators: str, devices: tuple[str, ...] = ("cuda",)) -> Documented:
    return Documented(api=api, operators=operators, behaviour="raises", devices=devices)


DOCUMENTED = (
    _switches("torch.nn.Conv1d, Conv2d, Conv3d, ConvTranspose1d, …2d, …3d", "convolution", "convolution_backward"),
    _switches(
        "torch.nn.ReplicationPad1d, …2d, …3d, backward",
        *(f"replication_pad{n}d_backward" for n in (1, 2, 3)),
    ),
    _switches("torch.bmm, sparse by dense", "bmm sparse"),
    _switches("torch.Tensor.__getitem__ with a list of tensors, backward", "index_put accumulate", devices=("cpu",)),
    _switches("torch.Tensor.index_put with accumulate=False", "index_put overwrite", devices=_ANY),
    _switches("torch.Tensor.index_put with accumulate=True", "index_put accumulate", devices=("cpu",)),
    _switches("torch.Tensor.put_ with accumulate=True", "put accumulate", devices=("cpu",)),
    _switches("torch.Tensor.scatter_add_; torch.gather, backward", "scatter_add"),
    _switches("torch.index_add; torch.index_select and torch.repeat_interleave, backward", "index_add"),
    _switches("torch.Tensor.index_copy", "index_copy", devices=_ANY),
    _switches("torch.Tensor.scatter with a tensor as src", "scatter"),
    _switches("torch.Tensor.scatter_reduce, sum or mean", "scatter_reduce reduce=sum", "scatter_reduce reduce=mean"),
    _switches("torch.nn.MaxPool3d, backward", "max_pool3d_with_indices_backward"),
    _raises("torch.nn.AvgPool3d, backward", "avg_pool3d_backward"),
    _raises(
        "torch.nn.AdaptiveAvgPool2d, AdaptiveAvgPool3d, backward",
        "adaptive_avg_pool2d_backward",
        "adaptive_avg_pool3d_backward",
    ),
    _raises("torch.nn.AdaptiveMaxPool2d, backward", "adaptive_max_pool2d_backward"),
    _raises(
        "torch.nn.FractionalMaxPool2d, FractionalMaxPool3d, backward",
        "fractional_max_pool2d_backward",
        "fractional_max_pool3d_backward",
    ),
    _raises("torch.nn.MaxUnpool1d, MaxUnpool2d, MaxUnpool3d", "max_unpool2d", "max_unpool3d", devices=_ANY),
    _raises(
        "torch.nn.functional.interpolate, linear, bilinear, bicubic or trilinear, backward",
        *(f"upsample_{mode}_backward" for mode in ("linear1d", "bilinear2d", "bicubic2d", "trilinear3d")),
    ),
    _raises(
        "torch.nn.ReflectionPad1d, ReflectionPad2d, ReflectionPad3d, backward",
        *(f"reflection_pad{n}d_backward" for n in (1, 2, 3)),
    ),
    _raises("torch.nn.NLLLoss", "nll_loss_forward", "nll_loss2d_forward"),
    _raises("torch.nn.CTCLoss, backward", "ctc_loss_backward"),
    _raises("torch.nn.EmbeddingBag with mode='max', backward", "embedding_bag_backward mode=2"),
    _raises("torch.Tensor.put_ with accumulate=False", "put overwrite", devices=_ANY),
    _raises("torch.Tensor.put_ with accumulate=True", "put accumulate"),
    _raises("torch.histc", "histc"),
    _raises("torch.bincount with weights", "bincount floating"),
    _raises("torch.median with indices", "median.dim"),
    _raises(
        "torch.nn.functional.grid_sample, backward",
        "grid_sampler_2d_backward",
        "grid_sampler_3d_backward",
    ),
    _raises("torch.cumsum of floating or complex numbers", "cumsum floating"),
    _raises("torch.Tensor.scatter_reduce, prod", "scatter_reduce reduce=prod"),
    _raises("torch.Tensor.resize_ of a quantized tensor", "resize quantized", devices=_ANY),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Clause:
    """What is documented of something, and what the cases that use it showed.

    ``api``: as documented, empty where nothing is.  ``repeats``: of all cases together; ``differing``: cases that did
    not repeat.  ``raised`` of ``asked``: cases that raised with deterministic algorithms on.
    """

    outcome: Outcome
    api: str
    behaviour: Behaviour | None
    cases: tuple[str, ...]
    repeats: int
    differing: int
    raised: int
    asked: int


@dataclass(frozen=True, slots=True, kw_only=True)
class _Observed:
    """A case: what it runs, and what became of it."""

    case: str
    documented: frozenset[Documented]
    repeats: int
    differs: bool
    raised: bool | None


def contract(records: Iterable[Record], turned: Iterable[Record]) -> tuple[Clause, ...]:
    """Every documented line that a case touches and everything that differs without one; what nobody documents first.

    ``records``: of the run, of which those of the facts know their operators; ``turned``: of its knob matrix.
    """
    on = {r.case.id: r for r in turned if r.knobs == _ON and not r.process}
    seen = [_observed(record, on.get(record.case.id)) for record in records if record.operators]
    clauses = [_undocumented(o) for o in seen if (o.differs or o.raised) and not o.documented]
    for line in DOCUMENTED:
        users = [o for o in seen if line in o.documented]
        if users:
            clauses.append(_clause(line, users))
    order: tuple[Outcome, ...] = (
        *("seen, not documented", "not as documented"),
        *("documented and seen", "documented, not seen"),
    )
    return tuple(sorted(clauses, key=lambda clause: order.index(clause.outcome)))


def applying(operators: Iterable[str], device: str) -> frozenset[Documented]:
    """The documented lines that speak of some of these operators on ``cpu`` or ``cuda``."""
    ran = set(operators)
    return frozenset(line for line in DOCUMENTED if device in line.devices and ran & set(line.operators))


def _observed(record: Record, on: Record | None) -> _Observed:
    checks = [check for check in record.checks if check.level != "numeric"]
    return _Observed(
        case=record.case.id,
        documented=applying(record.operators, record.case.device),
        repeats=sum(check.repeats for check in checks),
        differs=any(check.verdict == "differs" for check in checks),
        raised=None if on is None else on.status == "failed" and "deterministic" in on.reason,
    )


def _undocumented(seen: _Observed) -> Clause:
    return _of("seen, not documented", "", None, [seen])


def _clause(line: Documented, users: Sequence[_Observed]) -> Clause:
    """A user may run other documented operators too: only one that runs nothing else speaks against the line."""
    alone = [user for user in users if user.documented == {line} and user.raised is not None]
    wrong = any(user.raised != (line.behaviour == "raises") for user in alone)
    seen = any(user.differs for user in users)
    outcome: Outcome = "not as documented" if wrong else "documented and seen" if seen else "documented, not seen"
    return _of(outcome, line.api, line.behaviour, users)


def _of(outcome: Outcome, api: str, behaviour: Behaviour | None, seen: Sequence[_Observed]) -> Clause:
    asked = [o for o in seen if o.raised is not None]
    return Clause(
        outcome=outcome,
        api=api,
        behaviour=behaviour,
        cases=tuple(o.case for o in seen),
        repeats=sum(o.repeats for o in seen),
        differing=sum(o.differs for o in seen),
        raised=sum(bool(o.raised) for o in asked),
        asked=len(asked),
    )
