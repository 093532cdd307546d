from __future__ import annotations

from bench.analysis.environment_facts import FACTS, fact
from bench.measure import environment, gpu, host


def test_every_fact_that_is_collected_has_a_place_in_the_table() -> None:
    collected = set(environment.collect("cpu").facts) | set(gpu.FACTS) | set(host.FACTS)
    unclassified = {key for key in collected if key not in FACTS and not key.startswith("env.")}
    assert unclassified == set()


def test_what_is_under_test_may_differ_and_what_makes_the_machine_may_not() -> None:
    assert {fact(key).kind for key in ("torch", "cuda", "cudnn", "driver")} == {"under test"}
    assert {fact(key).kind for key in ("gpu", "gpu_uuid", "gpu_ecc", "cpu", "cpu_cores", "affinity", "os")} == {
        "machine"
    }
    assert {fact(key).kind for key in ("python", "libc", "cpu_governor")} == {"context"}


def test_a_name_a_label_or_a_host_never_decides() -> None:
    assert {fact(key).kind for key in ("host", "metronome", "harness")} == {"note"}


def test_variables_and_facts_of_other_versions_are_context_under_their_own_names() -> None:
    assert (fact("env.OMP_NUM_THREADS").kind, fact("env.OMP_NUM_THREADS").label) == ("context", "$OMP_NUM_THREADS")
    assert (fact("from_the_future").kind, fact("from_the_future").label) == ("context", "from_the_future")


def test_a_gpu_s_facts_count_only_between_reports_of_a_gpu() -> None:
    assert {key for key, known in FACTS.items() if known.only == "cuda"} == {
        key for key in FACTS if key.startswith("gpu") and fact(key).kind != "note"
    }
