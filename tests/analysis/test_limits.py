from __future__ import annotations

import pytest

from bench.analysis.limits import (
    DATASHEETS,
    WINOGRAD_SAVING,
    datasheet,
    impossible_compute,
    impossible_traffic,
    measured,
)

H100 = DATASHEETS["NVIDIA H100 80GB HBM3"]
L2_BYTES = 50 << 20


@pytest.mark.parametrize(("precision", "peak"), [("fp32", 66.9e12), ("tf32", 494.7e12), ("bf16", 989.4e12)])
def test_a_rate_up_to_the_dense_peak_stands_and_one_well_above_is_refused(precision: str, peak: float) -> None:
    assert impossible_compute(H100, precision, peak) == ""
    assert impossible_compute(H100, precision, 1.04 * peak) == ""
    assert f"above the {peak / 1e12:.3g} of NVIDIA H100 SXM datasheet" in impossible_compute(
        H100, precision, 1.1 * peak
    )


def test_fp32_at_the_speed_of_tf32_is_called_a_leak_and_more_than_that_is_not() -> None:
    assert "TF32 was used" in impossible_compute(H100, "fp32", 300e12)
    assert "work was skipped" in impossible_compute(H100, "fp32", 800e12)
    assert "work was skipped" in impossible_compute(H100, "tf32", 800e12)


def test_a_winograd_convolution_may_pass_the_peak_by_what_it_saves() -> None:
    assert impossible_compute(H100, "fp32", 200e12)
    assert impossible_compute(H100, "fp32", 200e12, saving=WINOGRAD_SAVING) == ""


def test_traffic_above_the_memory_s_rate_is_refused_only_beyond_the_caches() -> None:
    assert impossible_traffic(H100, 5e12, bytes_moved=1 << 30, cache_bytes=L2_BYTES).startswith(
        "5 TB/s is above the 3.35 of NVIDIA H100 SXM datasheet"
    )
    assert impossible_traffic(H100, 5e12, bytes_moved=2 * L2_BYTES, cache_bytes=L2_BYTES) == ""
    assert impossible_traffic(H100, 3.1e12, bytes_moved=1 << 30, cache_bytes=L2_BYTES) == ""


def test_a_gpu_is_known_by_the_beginning_of_its_name_and_others_are_not_guessed() -> None:
    assert datasheet("NVIDIA H100 80GB HBM3 MIG 1g.10gb") is H100
    assert datasheet("NVIDIA H100 PCIe") is None
    assert datasheet("Quadro K600") is None


def test_a_gpu_that_no_table_knows_is_held_against_the_run_s_own_ceilings() -> None:
    own = measured({"bytes": 1e12, "flops(fp32)": 10e12, "flops(tf32)": 70e12, "flops": 70e12})
    assert impossible_compute(own, "fp32", 12e12) == ""
    assert "TF32 was used" in impossible_compute(own, "fp32", 13e12)
    assert impossible_traffic(own, 1.3e12, 1e9, 0) != ""
    assert impossible_compute(own, "bf16", 1e15) == ""  # a roof that was not measured refuses nothing
    assert impossible_traffic(measured({}), 1e15, 1e9, 0) == ""
