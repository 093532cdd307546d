"""One place in memory for what all variants of a process read.

Equal values are not enough where memory is slow.  Which physical pages an input has makes a copy of 13 MB faster or
slower by some percent for as long as the process lives, and neighbours in the same cache by more: from process to
process the ratio of two copies of one code spread by 2 to 8 %, and by 0.5 to 2 % when both read the same tensor.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import torch

from bench.measure.subject import overlaps_itself, parameters
from bench.suite import Subject

_LINE = 64  # bytes
_WHOLE = {1: torch.uint8, 2: torch.int16, 4: torch.int32, 8: torch.int64}


@dataclass(frozen=True, slots=True)
class _Loan:
    """A tensor of the first subject, and those of the others that read it instead of their own memory."""

    lent: torch.Tensor
    borrowers: Sequence[torch.Tensor]
    own: Sequence[torch.Tensor]


class Placement:
    """Inputs and parameters that have the same layout in all subjects lie where those of the first one do.

    Only what all can share: otherwise those that do would find each other's data in the caches and the rest would not.
    Their own memory is kept, for whoever holds its address (a CUDA graph), and for ``end_if_written``.
    """

    def __init__(self, subjects: Sequence[Subject]) -> None:
        self._loans = _loans([_read_by(subject) for subject in subjects])
        for loan in self._loans:
            for borrower in loan.borrowers:
                borrower.data = loan.lent.data

    def end_if_written(self) -> None:
        """Give each subject its own memory again, with the values it came with, if a call has changed any of it.

        What ``relu_`` leaves of an input is not what the others are to be measured with.  The contents are compared,
        because NumPy and ``.data`` write past version counters.
        """
        if all(torch.equal(_bits(loan.lent), _bits(loan.own[0])) for loan in self._loans):
            return
        with torch.no_grad():
            for loan in self._loans:
                loan.lent.copy_(loan.own[0])
                for borrower, own in zip(loan.borrowers, loan.own, strict=True):
                    borrower.data = own
        self._loans = []


def _read_by(subject: Subject) -> dict[str, torch.Tensor]:
    inputs = {f"input/{i}": x for i, x in enumerate(subject.inputs) if isinstance(x, torch.Tensor)}
    return inputs | {f"parameter/{name}": p for name, p in parameters(subject).items()}


def _loans(read: Sequence[Mapping[str, torch.Tensor]]) -> list[_Loan]:
    """Each tensor once: what a subject uses under two names goes by the first."""
    loans: list[_Loan] = []
    taken: set[int] = set()
    for name, lent in read[0].items():
        borrowers = [tensors[name] for tensors in read[1:] if name in tensors]
        known = {id(tensor) for tensor in (lent, *borrowers)}
        everywhere = borrowers and len(borrowers) == len(read) - 1 and len(known) == len(read)
        if everywhere and not known & taken and all(_alike(lent, tensor) for tensor in borrowers):
            loans.append(_Loan(lent, borrowers, [tensor.data for tensor in borrowers]))
            taken |= known
    return loans


def _alike(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Whether two tensors differ in nothing but the pages they lie on, and that by chance."""
    return _ordinary(a) and _ordinary(b) and _nature(a) == _nature(b)


def _ordinary(tensor: torch.Tensor) -> bool:
    """Whether torch chose the memory: arrays of NumPy, mapped files, pinned and shared memory are there on purpose.

    What has no elements, and what overlaps itself, is left alone.
    """
    if tensor.layout != torch.strided or tensor.is_inference() or not tensor.numel():
        return False
    storage = tensor.untyped_storage()
    chosen = tensor.device.type == "cpu" and (tensor.is_pinned() or storage.is_shared())
    return storage.resizable() and not chosen and not overlaps_itself(tensor)


def _nature(tensor: torch.Tensor) -> tuple[object, ...]:
    """What a variant may have been made to show: the layout, the kind, where in a line of the cache it begins."""
    kind = type(tensor), tensor.dtype, tensor.device, tensor.is_conj(), tensor.is_neg()
    return kind, tensor.shape, tensor.stride(), tensor.data_ptr() % _LINE


def _bits(tensor: torch.Tensor) -> torch.Tensor:
    """What a tensor spans, as whole numbers: every dtype has them, and NaN is equal to itself."""
    last = sum((size - 1) * stride for size, stride in zip(tensor.shape, tensor.stride(), strict=True))
    start, span = tensor.storage_offset() * tensor.itemsize, (last + 1) * tensor.itemsize
    wide = _WHOLE[math.gcd(start, span, 8)]
    flat = torch.empty(0, dtype=wide, device=tensor.device)
    return flat.set_(tensor.untyped_storage(), start // wide.itemsize, (span // wide.itemsize,), (1,))
