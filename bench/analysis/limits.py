"""Refuses the impossible: no GPU computes faster than its dense peak, nor moves data faster than its memory.

A rate above the roof means that work was skipped, counted wrongly, timed wrongly, or done in another precision.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

# A convolution by Winograd's F(4x4, 3x3) multiplies four times less than it is counted to (Lavin and Gray,
# arXiv:1509.09308, section 4.3): what `saving` is for.
WINOGRAD_SAVING = 4.0
# Data that one call moves is beyond the caches when it is more than twice the L2.
BEYOND_CACHE = 2.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Roofs:
    """What a device can do at most: B/s, and FLOP/s by precision (``fp32``, ``tf32``, ``bf16``, ``fp16``).

    ``slack``: how far above these a true rate may lie; ``source``: whose numbers they are, in words.
    """

    bytes_per_second: float | None
    flops_per_second: Mapping[str, float]
    slack: float
    source: str


def _datasheet(source: str, terabytes: float, fp32: float, tf32: float, bf16: float) -> Roofs:
    """Datasheet figures are at boost clock, which a GPU may pass by some per cent: the slack."""
    return Roofs(
        bytes_per_second=terabytes * 1e12,
        flops_per_second={"fp32": fp32 * 1e12, "tf32": tf32 * 1e12, "bf16": bf16 * 1e12, "fp16": bf16 * 1e12},
        slack=1.05,
        source=source,
    )


# Dense rates; datasheets of Hopper print tensor-core rates with sparsity, twice these.  Keys begin the names that the
# driver gives; a MIG instance's name begins like its GPU's.
DATASHEETS: Mapping[str, Roofs] = {
    "NVIDIA A100-SXM4-40GB": _datasheet("NVIDIA A100 datasheet", 1.555, 19.5, 156, 312),
    "NVIDIA A100-SXM4-80GB": _datasheet("NVIDIA A100 datasheet", 2.039, 19.5, 156, 312),
    "NVIDIA H100 80GB HBM3": _datasheet("NVIDIA H100 SXM datasheet", 3.35, 66.9, 494.7, 989.4),
    "NVIDIA H200": _datasheet("NVIDIA H200 SXM datasheet", 4.8, 66.9, 494.7, 989.4),
}


def datasheet(gpu: str) -> Roofs | None:
    """The printed peaks of a GPU by its name; None for one that is not in the table."""
    return next((roofs for name, roofs in DATASHEETS.items() if gpu.startswith(name)), None)


def measured(ceilings: Mapping[str, float]) -> Roofs:
    """Roofs from this run's own ceilings (``bytes``, ``flops(fp32)``, …): for a GPU that no table knows.

    A better shape than the probe's may run faster: the slack.
    """
    return Roofs(
        bytes_per_second=ceilings.get("bytes"),
        flops_per_second={
            name.removeprefix("flops(").removesuffix(")"): rate
            for name, rate in ceilings.items()
            if name.startswith("flops(")
        },
        slack=1.25,
        source="this run's own ceiling",
    )


def impossible_compute(roofs: Roofs, precision: str, flops_per_second: float, saving: float = 1.0) -> str:
    """Why so many FLOP/s cannot be; empty when they can.

    saving: how many times fewer operations a fast algorithm may do than are counted (``WINOGRAD_SAVING``).
    """
    peak = roofs.flops_per_second.get(precision)
    if peak is None or flops_per_second <= peak * roofs.slack * saving:
        return ""
    rate = f"{flops_per_second / 1e12:.3g} TFLOP/s in {precision.replace('tf', 'TF')}"
    said = f"{rate} is above the {peak / 1e12:.3g} of {roofs.source}"
    tf32 = roofs.flops_per_second.get("tf32", 0.0)
    if precision == "fp32" and flops_per_second <= tf32 * roofs.slack * saving:
        return f'{said}: TF32 was used; torch.set_float32_matmul_precision("highest") keeps fp32'
    return f"{said}: work was skipped or the count of operations is wrong"


def impossible_traffic(roofs: Roofs, bytes_per_second: float, bytes_moved: float, cache_bytes: float) -> str:
    """Why so many B/s cannot be; empty when they can, or when the data may have stayed in the caches."""
    peak = roofs.bytes_per_second
    if peak is None or bytes_moved <= BEYOND_CACHE * cache_bytes or bytes_per_second <= peak * roofs.slack:
        return ""
    return (
        f"{bytes_per_second / 1e12:.3g} TB/s is above the {peak / 1e12:.3g} of {roofs.source}: "
        "not all of the bytes were moved, or their count is wrong"
    )
