"""Whether results are the same bits, and how far apart when not: hashes, ULP, the first element that differs."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Iterator, Mapping

import numpy
import torch

Named = dict[str, torch.Tensor]

_PIECE = 1 << 24  # elements

# Integers as wide as each floating dtype, in which neighbouring values are neighbours.
_INTEGERS = {
    torch.float64: torch.int64,
    torch.float32: torch.int32,
    torch.float16: torch.int16,
    torch.bfloat16: torch.int16,
}


def same_bits(a: torch.Tensor, b: torch.Tensor) -> bool:
    """Equal dtype, shape and bytes in logical order: strides do not matter, -0.0 and NaN payloads do."""
    if a.dtype != b.dtype or a.shape != b.shape:
        return False
    if a.device == b.device and a.device.type != "cpu":  # where they are: copying takes longer than comparing
        return torch.equal(_words(_dense(a)), _words(_dense(b)))
    # NumPy: torch would wake its threads for this, which cost more than they save.
    return bool(numpy.array_equal(_words(_plain(a)).numpy(), _words(_plain(b)).numpy()))


def digest(tensor: torch.Tensor) -> str:
    """SHA-256 over dtype, shape and bytes in logical order: what another process, build or machine can compare."""
    found = hashlib.sha256(f"{tensor.dtype} {tuple(tensor.shape)} ".encode())
    found.update(_rows(tensor).numpy().data if tensor.numel() else b"")
    return found.hexdigest()


def digest_of_all(digests: Mapping[str, str]) -> str:
    """One hash for all tensors of an output or a gradient, by name."""
    return hashlib.sha256("".join(f"{name} {one} " for name, one in sorted(digests.items())).encode()).hexdigest()


def first_difference(name: str, value: torch.Tensor, reference: torch.Tensor) -> str:
    """Where two results part and how widely: ``output/0[3, 1] is 1.5, was 1.25 (4 of 128 elements)``."""
    if value.dtype != reference.dtype or value.shape != reference.shape:
        now, before = (f"{str(t.dtype).removeprefix('torch.')}{list(t.shape)}" for t in (value, reference))
        return f"{name} is {now}, was {before}"
    mine, theirs = _rows(value), _rows(reference)
    unequal = (mine != theirs).any(dim=1)
    place = int(unequal.to(torch.uint8).argmax())
    now, before = _value(value, place), _value(reference, place)
    if now == before:  # NaN payloads
        now, before = (f"{now} (0x{_hex(rows[place])})" for rows in (mine, theirs))
    index = [int(i) for i in torch.unravel_index(torch.tensor(place), value.shape)]
    return f"{name}{index or ''} is {now}, was {before} ({int(unequal.sum())} of {unequal.numel()} elements)"


def _value(tensor: torch.Tensor, place: int) -> str:
    return repr(_plain(tensor).reshape(-1)[place].item())


def _hex(row: torch.Tensor) -> str:
    return bytes(row.tolist())[::-1].hex()


def ulp_distance(value: torch.Tensor, reference: torch.Tensor) -> float | None:
    """Largest distance in units in the last place: 0 for the same bits only.  None where it has no meaning.

    -0.0 and 0.0 are neighbours, NaNs are as far apart as their payloads, and a number is infinitely far from any NaN.
    """
    a, b = _plain(value), _plain(reference)
    if a.is_complex():
        a, b = torch.view_as_real(a), torch.view_as_real(b)
    if a.dtype != b.dtype or a.shape != b.shape or a.dtype not in _INTEGERS:
        return None
    if bool((a.isnan() != b.isnan()).any()):
        return float("inf")
    return float(_apart(_steps(a), _steps(b)).max()) if a.numel() else 0.0


def _steps(values: torch.Tensor) -> torch.Tensor:
    """The number of each value in the order of all values, 0.0 being number 0 and -0.0 number -1."""
    whole = values.contiguous().view(_INTEGERS[values.dtype]).to(torch.int64)
    lowest = -(2 ** (8 * values.element_size() - 1))
    return torch.where(whole < 0, -1 - (whole - lowest), whole)


def _apart(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Exact on one side of zero; across it the distance of two int64 need not fit one."""
    return torch.where((a < 0) == (b < 0), (a - b).double(), a.double() - b.double()).abs()


def relative_error(value: torch.Tensor, reference: torch.Tensor) -> float:
    """Largest absolute difference over the largest magnitude of the reference; infinite where only one is finite."""
    return _share(_distance(value, reference), _magnitude(reference))


def _distance(value: torch.Tensor, reference: torch.Tensor) -> float:
    """Largest absolute difference; NaN where only one is finite."""
    widest = 0.0
    for a, there in zip(_doubles(value), _doubles(reference), strict=True):
        b = there.to(a.device)
        unequal = ~((a == b) | (a.isnan() & b.isnan()))
        here = float((a - b)[unequal].abs().max()) if bool(unequal.any()) else 0.0
        if math.isnan(here):
            return here
        widest = max(widest, here)
    return widest


def _magnitude(reference: torch.Tensor) -> float:
    finite = (piece[piece.isfinite()].abs() for piece in _doubles(reference))
    return max((float(piece.max()) for piece in finite if len(piece)), default=0.0)


def _share(distance: float, scale: float) -> float:
    if not distance:
        return 0.0
    return distance / scale if scale and distance == distance else float("inf")


def _doubles(tensor: torch.Tensor) -> Iterator[torch.Tensor]:
    """The values in their logical order as float64, a piece at a time: what fills a GPU need not fit it twice."""
    dense = _dense(tensor)
    real = torch.view_as_real(dense) if dense.is_complex() else dense
    for piece in torch.split(real.reshape(-1), _PIECE):
        yield piece.double()


def _dense(tensor: torch.Tensor) -> torch.Tensor:
    """The values where they are, dense and as they read."""
    detached = tensor.detach()
    dense = detached if detached.layout == torch.strided else detached.to_dense()
    return dense.resolve_conj().resolve_neg()


def _plain(tensor: torch.Tensor) -> torch.Tensor:
    """The same on the CPU."""
    return _dense(tensor).cpu()


def _words(dense: torch.Tensor) -> torch.Tensor:
    """The elements as integers in their logical order."""
    flat = dense.contiguous().reshape(-1)
    wide: torch.dtype = {1: torch.uint8, 2: torch.int16, 4: torch.int32}.get(flat.element_size(), torch.int64)
    return flat.view(wide)


def _rows(tensor: torch.Tensor) -> torch.Tensor:
    """The bytes of every element, one row each."""
    flat = _plain(tensor).contiguous().reshape(-1)
    return flat.view(torch.uint8).reshape(len(flat), -1) if len(flat) else flat.reshape(0, 1)


# --- of whole results, by name ---------------------------------------------------------------------------------------


def differing(results: Named, reference: Named) -> str:
    """The name of the first tensor that is not the same bits, or is on one side only; empty when there is none."""
    for name in {**reference, **results}:
        if name not in results or name not in reference or not same_bits(results[name], reference[name]):
            return name
    return ""


def describe(name: str, results: Named, reference: Named) -> str:
    """How a tensor differs, as far as both sides are known."""
    if name in results and name in reference:
        return first_difference(name, results[name], reference[name])
    return f"{name} has other bits" if name in results else f"{name} is missing"


def widest_ulp(results: Named, reference: Named) -> float | None:
    """The largest distance in ULP over all tensors that both sides have."""
    found = [ulp_distance(tensor, reference[name]) for name, tensor in results.items() if name in reference]
    return wider(*found)


def widest_error(results: Named, reference: Named) -> float | None:
    """The largest of ``errors``."""
    return wider(*errors(results, reference).values())


def errors(results: Named, reference: Named) -> dict[str, float]:
    """The error of each tensor that has one shape on both sides, relative to the largest magnitude of them all.

    Not to each one's own: the gradient of a bias that BatchNorm takes away again is noise about zero.
    """
    common = {n: (mine, reference[n]) for n, mine in results.items() if n in reference}
    pairs = {name: (a, b) for name, (a, b) in common.items() if a.shape == b.shape}
    scale = max((_magnitude(b) for _, b in pairs.values()), default=0.0)
    return {name: _share(_distance(a, b), scale) for name, (a, b) in pairs.items()}


def wider(*distances: float | None) -> float | None:
    """The largest distance that is known."""
    return max((d for d in distances if d is not None), default=None)
