import numpy as np
from builders import case, declaration, environment, manifest, record

from bench.analysis.summary import Summary, summarise
from bench.claims import higher, unchanged
from bench.model import Record


def seconds(seed: int, rounds: int = 8) -> list[float]:
    found: list[float] = np.exp(-7 + 0.01 * np.random.default_rng(seed).normal(size=rounds)).tolist()
    return found


def processes(variant: str, count: int = 5, slower: float = 1.0) -> list[Record]:
    seeds = range(len(variant), len(variant) + count)
    return [record(variant, [slower * s for s in seconds(seed)], process=p) for p, seed in enumerate(seeds, start=1)]


def statuses(summary: Summary) -> dict[tuple[str, str], tuple[str, str]]:
    return {(e.case.variant, e.metric): (e.status, e.reason) for e in summary.estimates}


def test_a_run_has_its_estimates_and_its_verdicts() -> None:
    made = {"e1": environment()}
    records = (*processes("no_bias"), *processes("bias", slower=1.2))
    plan = manifest(None, higher("time", note="C5"), stops={case().group: "precise"})
    found = summarise(plan, made, iter(records))
    assert (found.manifest, found.environments, found.records) == (plan, made, records)
    assert [(e.case.variant, e.metric, e.stop_reason) for e in found.estimates] == [
        ("no_bias", "time/forward", "precise"),
        ("bias", "time/forward", "precise"),
    ]
    (verdict,) = found.verdicts
    assert (verdict.claim.note, verdict.decision, verdict.processes) == ("C5", "confirmed", 5)


def test_every_case_of_the_manifest_has_a_row_for_every_phase() -> None:
    plan = manifest(declarations=(declaration(phases=("forward", "backward")),))
    assert statuses(summarise(plan, {}, processes("no_bias"))) == {
        ("no_bias", "time/forward"): ("ok", ""),
        ("no_bias", "time/backward"): ("failed", "not timed: the run ended before its turn"),
        ("bias", "time/forward"): ("failed", "not measured"),
        ("bias", "time/backward"): ("failed", "not measured"),
    }


def test_a_case_with_facts_alone_was_not_timed() -> None:
    found = statuses(summarise(manifest(), {}, [record(process=0, values={"memory/parameters": 64.0})]))
    assert found["bias", "memory/parameters"] == ("ok", "")
    assert found["bias", "time/forward"] == ("failed", "not timed: the run ended before its turn")


def test_a_case_that_failed_has_its_own_reason_in_every_phase() -> None:
    plan = manifest(declarations=(declaration(phases=("forward", "backward")),))
    lost = record(process=0, status="oom", reason="tried to allocate 4 GiB")
    found = statuses(summarise(plan, {}, [lost]))
    assert found["bias", "time/forward"] == found["bias", "time/backward"] == ("oom", "tried to allocate 4 GiB")


def test_a_skipped_benchmark_has_a_row_for_each_variant_and_its_claims_are_not_applicable() -> None:
    skipped = declaration(higher("time"), unchanged("time"), skip_reason="needs a GPU")
    found = summarise(manifest((), declarations=(skipped,)), {}, [])
    assert statuses(found) == {
        ("no_bias", "time/forward"): ("skipped", "needs a GPU"),
        ("bias", "time/forward"): ("skipped", "needs a GPU"),
    }
    assert [(v.decision, v.evidence) for v in found.verdicts] == [("not applicable", "needs a GPU")] * 2


def test_a_benchmark_without_phases_misses_no_time() -> None:
    plan = manifest(declarations=(declaration(phases=()),))
    found = summarise(plan, {}, [record("no_bias", process=0)])
    assert statuses(found) == {("bias", "time/forward"): ("failed", "not measured")}


def test_an_empty_run_is_a_summary_too() -> None:
    assert summarise(manifest(declarations=(), cases=()), {}, []).estimates == ()


def test_five_hundred_cases_are_summarised_completely() -> None:
    cases = [case(variant, point={"n": n}) for n in range(250) for variant in ("no_bias", "bias")]
    noise = np.exp(-7 + 0.01 * np.random.default_rng(0).normal(size=(len(cases), 5, 4))).tolist()
    records = [
        record(of, taken, process=p)
        for of, rows in zip(cases, noise, strict=True)
        for p, taken in enumerate(rows, start=1)
    ]
    found = summarise(manifest(cases, higher("time"), unchanged("time")), {}, records)
    assert sum(e.metric == "time/forward" for e in found.estimates) == 500
    assert len(found.verdicts) == 500
