import math
from typing import Any

import pytest
from builders import case, declaration, estimate, record

from bench.analysis.claims import judge
from bench.analysis.intervals import quantile
from bench.claims import close, higher, identical, lower, unchanged
from bench.model import Check, Claim, Estimate, Verdict

PROCESSES = 12


def pair(low: float, high: float, metric: str = "time/forward", **fields: Any) -> list[Estimate]:
    """Baseline and variant, the ratio in the (geometric) middle of its interval."""
    numbers = {"value": 1e-3, "process_values": (1e-3,) * PROCESSES, "samples": 100, "valid_fraction": 0.96}
    ratio = {"ratio": math.sqrt(low * high), "ratio_low": low, "ratio_high": high, "confidence": 0.95}
    return [estimate("no_bias", metric, **numbers), estimate("bias", metric, **{**numbers, **ratio, **fields})]


def verdicts(claim: Claim, estimates: list[Estimate], *checks: Check, **fields: Any) -> tuple[Verdict, ...]:
    records = [record(process=0, checks=checks, **fields)] if checks or fields else []
    return judge(declaration(claim), estimates, records)


def one(claim: Claim, estimates: list[Estimate], *checks: Check, **fields: Any) -> Verdict:
    (verdict,) = verdicts(claim, estimates, *checks, **fields)
    return verdict


# --- where the interval lies --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("low", "high", "as_lower", "as_higher", "as_unchanged"),
    [
        (0.900, 0.980, "confirmed", "refuted", "refuted"),
        (0.900, 0.990, "undecided", "refuted", "undecided"),  # touching the margin is not beyond it
        (0.900, 1.000, "undecided", "refuted", "undecided"),
        (0.990, 1.010, "undecided", "undecided", "confirmed"),
        (0.995, 1.005, "refuted", "refuted", "confirmed"),
        (0.950, 1.050, "undecided", "undecided", "undecided"),
        (1.000, 1.100, "refuted", "undecided", "undecided"),
        (1.020, 1.100, "refuted", "confirmed", "refuted"),
    ],
)
def test_a_claim_is_settled_by_an_interval_wholly_on_one_side_of_the_margin(
    low: float, high: float, as_lower: str, as_higher: str, as_unchanged: str
) -> None:
    found = [one(claim, pair(low, high)).decision for claim in (lower("time"), higher("time"), unchanged("time"))]
    assert found == [as_lower, as_higher, as_unchanged]


def test_the_margin_is_the_claims_own() -> None:
    assert one(higher("time", within="5%"), pair(1.02, 1.04)).decision == "refuted"
    assert one(higher("time", within=0), pair(1.001, 1.002)).decision == "confirmed"


# --- what a claim speaks of ---------------------------------------------------------------------------------------


def test_a_claim_on_time_means_every_phase_and_no_sibling() -> None:
    rows = [*pair(1.02, 1.1), *pair(0.8, 0.9, "time/backward"), *pair(1.02, 1.1, "time/forward/hot")]
    found = verdicts(higher("time"), rows)
    assert [(v.metric, v.decision) for v in found] == [("time/forward", "confirmed"), ("time/backward", "refuted")]
    assert [v.metric for v in verdicts(higher("time/forward/hot"), rows)] == ["time/forward/hot"]


def test_a_claim_without_variants_means_all_but_the_baseline() -> None:
    third = estimate("other", ratio=1.2, ratio_low=1.1, ratio_high=1.3, confidence=0.95)
    stated = declaration(higher("time"), variants=("no_bias", "bias", "other"))
    found = judge(stated, [*pair(1.02, 1.1), third], [])
    assert [v.case.variant for v in found] == ["bias", "other"]
    stated = declaration(higher("time", of="other"), variants=("no_bias", "bias", "other"))
    assert [v.case.variant for v in judge(stated, [*pair(1.02, 1.1), third], [])] == ["other"]


def test_a_claim_on_another_device_is_not_applicable() -> None:
    verdict = one(higher("time", on="cuda"), pair(1.02, 1.1))
    assert (verdict.decision, verdict.evidence) == ("not applicable", "speaks of cuda; this is cpu")


def test_a_claim_at_another_point_is_not_applicable() -> None:
    verdict = one(higher("time", at={"c": 64, "n": 4}), pair(1.02, 1.1))
    assert (verdict.decision, verdict.evidence) == ("not applicable", "speaks of c=64 only")
    assert one(higher("time", at={"c": 16}), pair(1.02, 1.1)).decision == "confirmed"


def test_a_skipped_case_is_not_applicable_for_its_reason() -> None:
    verdict = one(higher("time"), [estimate(status="skipped", reason="needs 19.6 GB")])
    assert (verdict.decision, verdict.evidence) == ("not applicable", "needs 19.6 GB")


def test_other_benchmarks_are_not_judged() -> None:
    assert judge(declaration(higher("time")), [estimate(case(benchmark="other"))], []) == ()


# --- evidence -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("claim", "low", "high", "sentence"),
    [
        (higher("time"), 1.036, 1.047, "bias costs +4.1 % [3.6, 4.7] forward time"),
        (lower("time"), 0.90, 0.94, "bias saves 8.0 % [6.0, 10.0] forward time"),
        (unchanged("time"), 0.998, 1.003, "bias changes forward time by +0.05 % [-0.20, 0.30]"),
        (higher("time"), 2.35, 2.46, "bias costs 2.40x [2.35, 2.46] forward time"),
    ],
)
def test_evidence_is_one_sentence_with_effect_interval_and_counts(
    claim: Claim, low: float, high: float, sentence: str
) -> None:
    verdict = one(claim, pair(low, high))
    assert verdict.evidence == f"{sentence}: 12 processes, 96 rounds; margin 1 %"
    assert (verdict.low, verdict.high, verdict.processes) == (low, high, 12)


def test_a_rate_is_named_as_one() -> None:
    rows = pair(0.90, 0.94, "rate/flops/backward", samples=0)
    assert one(lower("rate/flops"), rows).evidence.startswith(
        "bias changes backward FLOP rate by -8.0 % [-10.0, -6.0]: "
    )


def test_undecided_says_how_many_more_processes_would_settle_it() -> None:
    verdict = one(higher("time"), pair(1.0, 1.04))
    assert verdict.decision == "undecided"
    assert verdict.evidence.endswith("; margin 1 %; about 30 more processes would settle it")
    # The other way round: with the same spread the interval of 42 processes ends beyond the margin, that of 41 not.
    spread = math.log(1.04) / 2 * math.sqrt(12) / quantile(11, 0.95)
    lows = [math.log(1.04) / 2 - quantile(n - 1, 0.95) * spread / math.sqrt(n) for n in (41, 42)]
    assert lows[0] < math.log(1.01) < lows[1]


def test_undecided_on_the_margin_says_that_no_number_of_processes_helps() -> None:
    verdict = one(higher("time"), pair(1.0, 1.01**2))
    assert verdict.evidence.endswith("; too close to the margin for any number of processes")


def test_too_few_processes_are_undecided_for_that_reason() -> None:
    few = pair(1.0, 1.0, ratio_low=None, ratio_high=None, reason="3 processes: an interval needs at least 5")
    verdict = one(higher("time"), few)
    assert (verdict.decision, verdict.evidence) == ("undecided", "3 processes: an interval needs at least 5")


def test_a_failed_case_is_undecided_for_that_reason() -> None:
    verdict = one(higher("time"), [estimate(status="oom", reason="tried to allocate 4 GiB")])
    assert (verdict.decision, verdict.evidence) == ("undecided", "oom: tried to allocate 4 GiB")


def test_a_failed_baseline_leaves_the_variant_undecided() -> None:
    broken = [estimate("no_bias", status="failed", reason="no"), estimate("bias", value=1.0)]
    verdict = one(higher("time"), broken)
    assert (verdict.decision, verdict.evidence) == ("undecided", "no ratio: the baseline is failed: no")


def test_what_was_not_measured_is_undecided() -> None:
    verdict = one(unchanged("memory/peak"), pair(1.0, 1.0))
    assert (verdict.decision, verdict.evidence) == ("undecided", "no value of memory/peak was measured")


# --- exact metrics ------------------------------------------------------------------------------------------------


def exact(mine: float, theirs: float, metric: str = "memory/peak/forward") -> list[Estimate]:
    ratio = mine / theirs if theirs else 1.0 if mine == theirs else None
    return [
        estimate("no_bias", metric, value=theirs, process_values=(theirs,)),
        estimate("bias", metric, value=mine, process_values=(mine,), ratio=ratio, ratio_low=ratio, ratio_high=ratio),
    ]


@pytest.mark.parametrize(
    ("claim", "mine", "theirs", "decision"),
    [
        (unchanged("memory/peak"), 4096, 4096, "confirmed"),
        (unchanged("memory/peak"), 4096, 4090, "confirmed"),
        (unchanged("memory/peak"), 5000, 4096, "refuted"),
        (unchanged("memory/peak", within=0), 4096, 4090, "refuted"),
        (higher("memory/peak"), 5000, 4096, "confirmed"),
        (higher("memory/peak"), 4096, 4096, "refuted"),
        (lower("memory/peak"), 1000, 4096, "confirmed"),
        (higher("memory/peak"), 64, 0, "confirmed"),
        (unchanged("memory/peak"), 0, 0, "confirmed"),
        (lower("memory/peak", within="50%"), 50, 100, "refuted"),
    ],
)
def test_exact_values_are_never_undecided(claim: Claim, mine: float, theirs: float, decision: str) -> None:
    assert one(claim, exact(mine, theirs)).decision == decision


def test_bytes_are_told_in_readable_units_with_their_difference() -> None:
    verdict = one(unchanged("memory/peak"), exact(1.5 * 2**20 + 64, 1.5 * 2**20))
    told = "forward peak memory of bias: 1.5 MiB against 1.5 MiB (+64 B, +0.0041 %); exact, margin 1 %"
    assert verdict.evidence == told
    verdict = one(unchanged("memory/parameters"), exact(4096, 4096, "memory/parameters"))
    assert verdict.evidence == "parameter memory of bias: 4 KiB, as the baseline; exact, margin 1 %"
    verdict = one(higher("memory/parameters"), exact(64, 0, "memory/parameters"))
    assert verdict.evidence == "parameter memory of bias: 64 B against 0 B (+64 B); exact, margin 1 %"


def test_an_exact_value_without_a_baseline_is_undecided() -> None:
    verdict = one(unchanged("memory/peak"), exact(1, 1)[1:])
    assert (verdict.decision, verdict.evidence) == (
        "undecided",
        "the baseline has no value of memory/peak/forward to compare with",
    )


# --- bits and distances -------------------------------------------------------------------------------------------


def check(verdict: str, what: str = "output", **fields: Any) -> Check:
    return Check(what=what, level="numeric", verdict=verdict, **fields)


@pytest.mark.parametrize(
    ("found", "as_identical", "as_close"),
    [
        ("identical", "confirmed", "confirmed"),
        ("close", "refuted", "confirmed"),
        ("different", "refuted", "refuted"),
    ],
)
def test_close_and_identical_are_judged_by_the_numeric_check(found: str, as_identical: str, as_close: str) -> None:
    assert one(identical("output"), [], check(found)).decision == as_identical
    assert one(close("output"), [], check(found)).decision == as_close


def test_distances_are_told_against_float64() -> None:
    verdict = one(close("output"), [], check("close", error=2.5e-7, baseline_error=2.4e-7, tolerance=1e-5))
    assert verdict.evidence == (
        "output of bias is close: relative error against float64 2.5e-07 (the baseline's own: 2.4e-07), tolerance 1e-05"
    )
    assert one(identical("output"), [], check("identical", error=0.0)).evidence == (
        "output of bias is the baseline's, bit for bit"
    )
    assert one(close("output"), [], check("different", reason="nothing to compare")).evidence == (
        "output of bias is different: nothing to compare"
    )


def test_the_worst_of_several_checks_counts() -> None:
    assert one(identical("output"), [], check("identical"), check("close")).decision == "refuted"


def test_determinism_checks_and_other_results_are_not_meant() -> None:
    other = (Check(what="output", level="quick", verdict="differs"), check("different", "gradient"))
    verdict = one(close("output"), [], *other)
    assert (verdict.decision, verdict.evidence) == ("undecided", "output was not compared with the baseline's")
    assert one(close("gradient"), [], *other).decision == "refuted"


def test_a_check_that_could_not_be_made_is_undecided_with_the_failure() -> None:
    verdict = one(close("output"), [], status="failed", reason="RuntimeError: no")
    assert (verdict.decision, verdict.evidence) == ("undecided", "failed: RuntimeError: no")
