"""Results that one process keeps in a file, so that another can say whether, where and how far its own differ."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import torch

from bench.measure.bits import Named

# Results up to this size are kept whole; of larger ones the hashes only, which say whether and not where.
_LARGEST_BYTES = 1 << 26


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """Hash and, where they are small, values of each tensor of one result; ``reference``: the same in float64."""

    digests: Mapping[str, str]
    tensors: Named = field(default_factory=dict)
    reference: Named = field(default_factory=dict)


def write_kept(results: Mapping[str, Kept], path: str) -> None:
    """``results``: ``output`` and ``gradient`` of one case, and hashes of what it was ``given``."""
    torch.save({what: _plain(kept) for what, kept in results.items()}, path)


def _plain(kept: Kept) -> dict[str, object]:
    size = sum(t.numel() * t.element_size() for t in kept.tensors.values())
    small = size <= _LARGEST_BYTES
    tensors = {name: t.detach().cpu() for name, t in kept.tensors.items()} if small else {}
    reference = {name: t.detach().cpu() for name, t in kept.reference.items()} if small else {}
    return {"digests": dict(kept.digests), "tensors": tensors, "reference": reference}


def read_kept(path: str) -> dict[str, Kept]:
    """The inverse of ``write_kept``."""
    return {what: Kept(**plain) for what, plain in torch.load(path, weights_only=True).items()}
