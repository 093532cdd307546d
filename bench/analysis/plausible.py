"""Turns a rate that no GPU can have into `invalid`, and the time it came from with it: see limits.py."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from bench.analysis.limits import WINOGRAD_SAVING, datasheet, impossible_compute, impossible_traffic, measured
from bench.model import Environment, Estimate, Value

_HALVES = {"bfloat16": "bf16", "float16": "fp16"}


def refuse(
    estimates: Sequence[Estimate], environments: Mapping[str, Environment], ceilings: Mapping[str, float]
) -> tuple[Estimate, ...]:
    """The estimates, with impossible rates and their times without a value and with the reason.

    Only on CUDA: a CPU's caches and turbo leave no roof that a small case could not pass.
    """
    by_name = {(e.case.id, e.metric): e for e in estimates if e.case.device == "cuda" and e.status == "ok"}
    reasons: dict[tuple[str, str], str] = {}
    for (case, metric), rate in by_name.items():
        kind, _, phase = metric.removeprefix("rate/").partition("/")
        time = by_name.get((case, f"time/{phase}"))
        if metric.startswith("rate/") and time is not None:
            facts = environments[rate.environment].facts if rate.environment in environments else {}
            reason = _impossible(kind, rate, time, facts, ceilings)
            if reason:
                reasons[case, metric] = reasons[case, time.metric] = reason
    return tuple(
        _refused(e, reasons[e.case.id, e.metric]) if (e.case.id, e.metric) in reasons else e for e in estimates
    )


def _impossible(
    kind: str, rate: Estimate, time: Estimate, facts: Mapping[str, Value], ceilings: Mapping[str, float]
) -> str:
    """Why a rate of ``flops`` or ``bytes`` cannot be; empty when it can, or when too little is known of the GPU."""
    if not isinstance(rate.value, float) or not isinstance(time.value, float):
        return ""
    roofs = datasheet(str(facts.get("gpu") or "")) or measured(ceilings)
    if kind == "flops":
        dtype = str(dict(rate.case.point).get("dtype", ""))
        return impossible_compute(roofs, _fastest_precision(dtype, facts), rate.value, saving=WINOGRAD_SAVING)
    cache = facts.get("gpu_l2_bytes")
    return impossible_traffic(roofs, rate.value, rate.value * time.value, cache) if isinstance(cache, int) else ""


def _fastest_precision(dtype: str, facts: Mapping[str, Value]) -> str:
    """What a tensor of this type may be computed in at most: torch lets cuDNN use TF32 for fp32 unless told otherwise.

    A case without a type may hold any.
    """
    if dtype != "float32":
        return _HALVES.get(dtype, "bf16")
    keeps = facts.get("allow_tf32") is False and facts.get("matmul_precision") == "highest"
    return "fp32" if keeps else "tf32"


def _refused(estimate: Estimate, reason: str) -> Estimate:
    return replace(
        estimate,
        status="invalid",
        reason=reason,
        value=None,
        low=None,
        high=None,
        ratio=None,
        ratio_low=None,
        ratio_high=None,
    )
