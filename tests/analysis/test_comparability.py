from __future__ import annotations

import pytest
from compared import CASE, FACTS, report, row, times

from bench.analysis.comparability import check_allowed, differences, same_metronome, unknown_facts
from bench.analysis.reported import Report
from bench.errors import BenchError


def on(device: str = "cpu", **facts: str | tuple[str, ...]) -> Report:
    known = {key: (value,) if isinstance(value, str) else value for key, value in facts.items()}
    case = CASE.replace("@cpu", f"@{device}")
    return report(row(times(), case=case), facts={**FACTS, **known})


def test_what_is_under_test_may_differ_and_comes_first() -> None:
    found = differences(on(torch="2.10", host="a"), on(torch="2.11", host="b"))
    assert [(d.label, d.base, d.new, d.blocks) for d in found] == [
        ("PyTorch", "2.10", "2.11", False),
        ("host", "a", "b", False),
    ]


def test_the_machine_and_its_context_must_agree() -> None:
    found = differences(
        on(cpu="A", python="3.11", **{"env.OMP_NUM_THREADS": "1"}),
        on(cpu="B", python="3.12", **{"env.OMP_NUM_THREADS": "2"}),
    )
    assert [(d.key, d.blocks) for d in found] == [("cpu", True), ("env.OMP_NUM_THREADS", True), ("python", True)]


def test_a_variable_that_one_side_lacks_is_not_set_there_if_that_is_known() -> None:
    without, with_it = on(threads="2"), on(threads="2", **{"env.X": "1"})
    for pair, told in (((without, with_it), ("not set", "1")), ((with_it, without), ("1", "not set"))):
        (found,) = differences(*pair)
        assert (found.key, found.base, found.new, found.blocks) == ("env.X", *told, True)
    assert differences(on(), with_it) == ()  # a bare report.csv knows of no variable


def test_a_difference_that_is_allowed_does_not_block() -> None:
    base, new = on(cpu="A", **{"env.X": "1"}), on(cpu="B", **{"env.X": "2"})
    assert [d.blocks for d in differences(base, new, allow=["cpu"])] == [False, True]
    assert [d.blocks for d in differences(base, new, allow=["env.*", "cpu"])] == [False, False]


def test_a_fact_of_the_gpu_counts_only_between_gpu_cases() -> None:
    assert differences(on("cpu", gpu="A"), on("cpu", gpu="B")) == ()
    (found,) = differences(on("cuda", gpu="A"), on("cuda", gpu="B"))
    assert (found.label, found.blocks) == ("GPU", True)


def test_a_report_of_several_environments_shows_all_their_values() -> None:
    (found,) = differences(on(threads=("1", "2")), on(threads=("1", "4")))
    assert (found.base, found.new) == ("1 | 2", "1 | 4")


def test_what_one_report_does_not_know_is_no_difference_but_is_named() -> None:
    base, new = on(cpu_cores="4", kernel="6"), on()
    assert differences(base, new) == ()
    assert unknown_facts(base, new) == ("CPU cores",)


def test_metronomes_are_the_same_only_when_both_are_known() -> None:
    assert same_metronome(on(metronome="a"), on(metronome="a"))
    assert not same_metronome(on(metronome="a"), on(metronome="b"))
    assert not same_metronome(report(facts={}), report(facts={}))
    assert not same_metronome(on(metronome=("a", "b")), on(metronome=("a", "b")))


def test_an_allowed_fact_that_does_not_exist_is_refused_with_the_nearest() -> None:
    check_allowed(["gpu_uuid", "version", "env.*"], [on(**{"env.X": "1"})])
    with pytest.raises(BenchError, match="did you mean 'gpu_uuid'"):
        check_allowed(["gpu_uid"], [])
    with pytest.raises(BenchError, match="the facts are"):
        check_allowed(["0123456789"], [])
