"""A rate that no GPU can have is refused, and the time it came from with it."""

from __future__ import annotations

import pytest
from builders import case, estimate

from bench.analysis.plausible import refuse
from bench.model import Environment, Estimate

H200 = {"e1": Environment(facts={"gpu": "NVIDIA H200", "gpu_l2_bytes": 60 << 20})}


def pair(kind: str, rate: float, seconds: float, dtype: str = "bfloat16", device: str = "cuda") -> list[Estimate]:
    of = case(point={"dtype": dtype}, device=device)
    return [
        estimate(of, "time/forward", value=seconds, environment="e1"),
        estimate(of, f"rate/{kind}/forward", value=rate, environment="e1"),
    ]


def statuses(estimates: list[Estimate], environments: dict[str, Environment] = H200, **ceilings: float) -> list[str]:
    return [e.status for e in refuse(estimates, environments, ceilings)]


def test_more_flops_than_the_tensor_cores_have_are_refused_with_their_time() -> None:
    refused = refuse(pair("flops", 8e15, 1e-3), H200, {})
    assert [(e.status, e.value) for e in refused] == [("invalid", None), ("invalid", None)]
    assert "8e+03 TFLOP/s in bf16 is above the 989 of NVIDIA H200 SXM datasheet" in refused[0].reason


def test_a_rate_below_the_peak_stays() -> None:
    assert statuses(pair("flops", 7.9e14, 1e-3)) == ["ok", "ok"]


def test_fp32_is_held_against_tf32_because_convolutions_may_use_it() -> None:
    assert statuses(pair("flops", 3e15, 1e-3, dtype="float32")) == ["invalid", "invalid"]
    assert statuses(pair("flops", 4e14, 1e-3, dtype="float32")) == ["ok", "ok"]


def test_fp32_is_held_against_fp32_where_tf32_was_switched_off() -> None:
    settings = {"allow_tf32": False, "matmul_precision": "highest"}
    kept = {"e1": Environment(facts={**H200["e1"].facts, **settings})}
    assert statuses(pair("flops", 4e14, 1e-3, dtype="float32"), kept) == ["invalid", "invalid"]
    assert statuses(pair("flops", 5e13, 1e-3, dtype="float32"), kept) == ["ok", "ok"]
    by_half = {"e1": Environment(facts={**H200["e1"].facts, **settings, "matmul_precision": "high"})}
    assert statuses(pair("flops", 4e14, 1e-3, dtype="float32"), by_half) == ["ok", "ok"]


def test_bytes_beyond_the_cache_cannot_move_faster_than_memory() -> None:
    assert statuses(pair("bytes", 9e12, 1e-3)) == ["invalid", "invalid"]


@pytest.mark.parametrize("seconds", [1e-6, 1e-5])
def test_bytes_that_fit_the_cache_may(seconds: float) -> None:
    assert statuses(pair("bytes", 9e12, seconds)) == ["ok", "ok"]


def test_a_gpu_that_no_table_knows_is_held_against_the_ceilings_of_the_run() -> None:
    unknown = {"e1": Environment(facts={"gpu": "NVIDIA Future"})}
    ceilings = {"flops(bf16)": 1e14}
    assert [e.status for e in refuse(pair("flops", 9e14, 1e-3), unknown, ceilings)] == ["invalid", "invalid"]
    assert [e.status for e in refuse(pair("flops", 9e13, 1e-3), unknown, ceilings)] == ["ok", "ok"]


def test_a_cpu_is_never_refused() -> None:
    assert statuses(pair("flops", 8e15, 1e-3, device="cpu")) == ["ok", "ok"]
