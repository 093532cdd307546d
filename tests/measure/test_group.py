from __future__ import annotations

import functools
from collections import Counter
from collections.abc import Callable

import pytest
from scripted_groups import facts, group, measured

from bench.measure.messages import Failure
from bench.measure.timing import WarmUp
from bench.measure.workers import WorkerDied
from bench.model import Record
from bench.suite import Settings
from bench.testing import Behaviour, Script, ScriptedLauncher

CRASH = WorkerDied("failed", "the process crashed: SIGSEGV")
HANG = WorkerDied("timeout", "no answer within 1 s")
RAISED = Failure(status="failed", reason="ValueError: no", trace="Traceback …")


def when(condition: Callable[[str, str], bool], behaviour: Behaviour) -> Script:
    """One millisecond, but ``behaviour`` where a condition on name and what is asked of it holds."""
    return lambda name, what: behaviour if condition(name, what) else 1e-3


def sampled(name: str) -> Callable[[str, str], bool]:
    return lambda asked, what: (asked, what) == (name, "forward")


def told(records: list[Record]) -> dict[str, str]:
    """Variant -> status and reason."""
    assert len({record.case.variant for record in records}) == len(records)
    return {record.case.variant: f"{record.status} {record.reason}".strip() for record in records}


# --- order -----------------------------------------------------------------------------------------------------------


def test_variants_are_opened_then_warmed_then_sampled_in_turns() -> None:
    launcher = ScriptedLauncher()
    measured(group("no_bias", "bias"), launcher)
    assert launcher.transcript[:3] == ["worker 1", "open bias", "open no_bias"]
    assert launcher.transcript[3:5] == ["warm bias forward", "warm no_bias forward"]
    assert launcher.transcript[6:] == ["close", "drop worker 1"]
    assert launcher.rounds()[:4] == ["bias no_bias", "bias no_bias", "no_bias bias", "no_bias bias"]


def test_the_next_process_begins_where_this_one_would_go_on() -> None:
    launcher, of = ScriptedLauncher(), group("a", "b", "c")
    for _ in range(3):
        measured(of, launcher)
    assert launcher.lines("open") == [f"open {v}" for v in ("b", "c", "a", "c", "a", "b", "a", "b", "c")]
    assert launcher.rounds()[:: of.rounds] == ["b c a", "c a b", "c b a"]


def test_all_rounds_of_variants_that_share_a_worker_travel_in_one_message() -> None:
    launcher = ScriptedLauncher()
    measured(group("a", "b"), launcher)
    assert launcher.launched == 1
    assert len(launcher.lines("measure")) == 1


def test_each_phase_is_warmed_and_sampled_for_all_variants_before_the_next() -> None:
    launcher = ScriptedLauncher()
    (a, b) = measured(group("a", "b", phases=("forward", "backward")), launcher)
    assert launcher.lines("warm") == ["warm b forward", "warm a forward", "warm b backward", "warm a backward"]
    assert launcher.rounds()[0] == "b a b a"
    assert [samples.phase for samples in a.samples] == ["forward", "backward"] == [s.phase for s in b.samples]


# --- numbers ---------------------------------------------------------------------------------------------------------


def test_a_group_has_one_number_of_loops_which_its_fastest_variant_decides_once() -> None:
    speeds = {"slow": 1e-3, "fast": 1e-4}
    launcher, of = ScriptedLauncher(script=lambda name, what: speeds[name]), group("slow", "fast")
    first = measured(of, launcher)
    speeds["fast"] = 1e-6
    second = measured(of, launcher)
    assert {record.samples[0].loops for record in first + second} == {20}
    assert {len(record.samples[0].seconds) for record in first + second} == {of.rounds}


def test_where_samples_cost_more_than_their_calls_a_group_takes_fewer_rounds(monkeypatch: pytest.MonkeyPatch) -> None:
    plain, costly = group("a", "b"), group("a", "b")
    measured(plain, ScriptedLauncher())
    monkeypatch.setattr("bench.testing.WarmUp", functools.partial(WarmUp, around=50e-3))
    measured(costly, ScriptedLauncher())
    assert plain.loops == costly.loops
    assert costly.rounds < plain.rounds


def test_records_carry_the_samples_of_their_variant_paired_by_round_with_the_metronomes() -> None:
    launcher = ScriptedLauncher(script=lambda name, what: {"a": 1e-3, "b": 2e-3}[name])
    a, b = measured(group("a", "b"), launcher)
    assert [set(record.samples[0].seconds) for record in (a, b)] == [{1e-3}, {2e-3}]
    assert len(a.samples[0].seconds) == len(b.samples[0].seconds) == len(a.metronomes["hash"])
    assert a.metronomes == b.metronomes
    assert (a.samples[0].first_call, a.samples[0].settle) == (2e-3, 3)


def test_processes_are_numbered_from_one_and_facts_are_process_zero() -> None:
    launcher, of = ScriptedLauncher(), group("a", "b")
    numbers = [{record.process for record in facts(of, launcher)}]
    numbers += [{record.process for record in measured(of, launcher)} for _ in range(3)]
    assert numbers == [{0}, {1}, {2}, {3}]


# --- facts -----------------------------------------------------------------------------------------------------------


def test_facts_of_every_variant_come_from_a_worker_that_did_nothing_else() -> None:
    launcher = ScriptedLauncher(facts={"a": {"memory/peak/forward": 7.0}})
    a, b = facts(group("a", "b"), launcher)
    one, other = ["worker 1", "facts a", "close", "drop worker 1"], ["worker 2", "facts b", "close", "drop worker 2"]
    assert launcher.transcript == one + other
    assert (a.values, b.values) == ({"memory/peak/forward": 7.0}, {})


def test_where_a_process_is_expensive_the_facts_of_all_variants_come_from_one() -> None:
    launcher = ScriptedLauncher()
    facts(group("a", "b"), launcher, cheap=False)
    assert launcher.transcript == ["worker 1", "facts a", "close", "facts b", "close"]


def test_a_variant_whose_facts_fail_is_not_timed() -> None:
    launcher, of = ScriptedLauncher(script=when(lambda name, what: name == "b", RAISED)), group("a", "b", "c")
    assert told(facts(of, launcher)) == {"a": "ok", "b": "failed ValueError: no", "c": "ok"}
    assert told(measured(of, launcher)) == {"a": "ok", "c": "ok"}


def test_variants_take_inputs_and_weights_of_the_baseline_or_of_the_first_that_is_left() -> None:
    of = group("a", "b", "c")
    assert [of.open(name).like for name in of.members] == ["a", "a", "a"]
    of.lost.add("a")
    assert [of.open(name).like for name in of.alive] == ["b", "b"]


# --- settings and sides ----------------------------------------------------------------------------------------------


def test_variants_with_settings_sit_in_workers_of_their_own_and_are_still_asked_in_turn_within_the_round() -> None:
    settings = {"on": Settings(mkldnn=True), "off": Settings(mkldnn=False, environment={"ONEDNN_VERBOSE": "0"})}
    launcher = ScriptedLauncher()
    measured(group("off", "on", settings=settings), launcher)
    assert launcher.lines("worker") == ["worker 1", "worker 2 ONEDNN_VERBOSE=0"]
    assert launcher.lines("measure")[:4] == [
        "measure metronome on",  # whoever comes next, in the same message
        "measure off",
        "measure metronome on",
        "measure off metronome off",
    ]
    assert launcher.rounds()[:4] == ["on off", "on off", "off on", "off on"]
    assert launcher.transcript[-2:] == ["drop worker 1", "drop worker 2"]


def test_variants_without_settings_share_the_worker_beside_those_with() -> None:
    launcher = ScriptedLauncher()
    measured(group("a", "b", "own", settings={"own": Settings(threads=1)}), launcher)
    assert launcher.lines("worker") == ["worker 1", "worker 2"]
    assert launcher.lines("drop", "close") == ["close", "drop worker 2", "drop worker 1"]


def test_both_sides_of_ab_are_asked_in_turn_within_the_round() -> None:
    launcher = ScriptedLauncher()
    records = measured(group("x", "y", sides=("a", "b")), launcher)
    assert launcher.lines("worker") == ["worker 1", "worker 2"]
    assert launcher.rounds()[0] == "b:x a:y b:y a:x"
    assert [record.case.variant for record in records] == ["x", "x", "y", "y"]


def test_workers_that_take_turns_keep_to_one_core_and_the_next_process_to_the_next() -> None:
    of = group("x", sides=("a", "b"))
    assert [of.open(name).turn for name in of.members] == [0, 0]
    measured(of, ScriptedLauncher())
    assert [of.open(name).turn for name in of.members] == [1, 1]
    assert group("x").open("x").turn is None


# --- what goes wrong -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("what", ["open", "warm forward", "forward"])
def test_a_variant_that_fails_is_recorded_once_and_the_others_go_on_in_a_fresh_process(what: str) -> None:
    launcher, of = ScriptedLauncher(script=when(lambda *asked: asked == ("b", what), RAISED)), group("a", "b", "c")
    records = measured(of, launcher) + measured(of, launcher)
    assert Counter(f"{r.case.variant} {r.status} {r.process}" for r in records) == Counter(
        ["b failed 1", "a ok 1", "c ok 1", "a ok 2", "c ok 2"]
    )
    assert next(r for r in records if r.status == "failed").warnings == ("Traceback …",)
    assert launcher.lines("worker", "drop") == [f"{what} {n}" for n in (1, 2, 3) for what in ("worker", "drop worker")]


def test_a_sample_that_raises_names_its_variant() -> None:
    launcher = ScriptedLauncher(script=when(sampled("b"), RAISED))
    assert told(measured(group("a", "b"), launcher)) == {"b": "failed ValueError: no", "a": "ok"}


@pytest.mark.parametrize(
    ("death", "status"), [(CRASH, "failed"), (HANG, "timeout"), (WorkerDied("oom", "killed"), "oom")]
)
def test_a_worker_that_dies_in_a_batch_is_measured_again_step_by_step_and_the_right_variant_blamed(
    death: WorkerDied, status: str
) -> None:
    launcher, of = ScriptedLauncher(script=when(sampled("b"), death)), group("a", "b", "c")
    records = measured(of, launcher)
    assert told(records) == {"b": f"{status} {death.reason}", "a": "ok", "c": "ok"}
    lines = launcher.lines("measure")
    assert lines[0] == "measure metronome b"  # nobody knows that it was b's step: the batch had others
    assert lines[1:3] == ["measure metronome", "measure b"]
    assert set(lines[3:]) == {"measure metronome", "measure a", "measure c"}
    assert launcher.launched == 3


def test_after_a_death_in_a_batch_later_processes_are_measured_step_by_step_too() -> None:
    launcher, of = ScriptedLauncher(script=when(sampled("b"), HANG)), group("a", "b", "c")
    measured(of, launcher)
    launcher.transcript.clear()
    measured(of, launcher)
    assert set(launcher.lines("measure")) == {"measure metronome", "measure a", "measure c"}


def test_a_variant_alone_in_its_batch_is_blamed_at_once() -> None:
    launcher = ScriptedLauncher(script=when(sampled("a"), CRASH))
    of = group("a")
    assert told(measured(of, launcher)) == {"a": f"failed {CRASH.reason}"}
    assert launcher.launched == 1


def test_a_worker_that_dies_between_variants_does_not_keep_a_run_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    launcher, of = ScriptedLauncher(), group("a", "b")

    def dying(*_: object, **__: object) -> None:
        raise CRASH

    monkeypatch.setattr("bench.testing.ScriptedWorker._measure", dying)
    assert {r.status for r in measured(of, launcher)} == {"failed"}
    assert of.alive == []


def test_a_group_with_nobody_left_measures_nothing() -> None:
    launcher, of = ScriptedLauncher(script=when(lambda *_: True, RAISED)), group("a", "b")
    assert told(measured(of, launcher)) == {"a": "failed ValueError: no", "b": "failed ValueError: no"}
    assert measured(of, launcher) == []


def test_out_of_memory_in_one_variant_is_its_status_alone() -> None:
    oom = Failure(status="oom", reason="MemoryError")
    launcher = ScriptedLauncher(script=when(lambda name, what: (name, what) == ("b", "open"), oom))
    assert told(measured(group("a", "b"), launcher)) == {"b": "oom MemoryError", "a": "ok"}


def test_an_expensive_process_outlives_a_variant_that_raises_but_not_a_broken_context() -> None:
    for fatal, launched in ((False, 1), (True, 2)):
        failure = Failure(status="failed", reason="RuntimeError", fatal=fatal)
        launcher = ScriptedLauncher(script=when(lambda name, what: name == "b", failure))
        assert told(measured(group("a", "b"), launcher, cheap=False)) == {"b": "failed RuntimeError", "a": "ok"}
        assert launcher.launched == launched


def test_ctrl_c_lets_every_worker_go_without_asking_it_anything() -> None:
    def interrupted(name: str, what: str) -> float:
        if what == "warm forward":
            raise KeyboardInterrupt
        return 1e-3

    launcher = ScriptedLauncher(script=interrupted)
    with pytest.raises(KeyboardInterrupt):
        measured(group("a", "b", settings={"b": Settings(threads=1)}), launcher)
    assert launcher.transcript[-3:] == ["warm b forward", "drop worker 1", "drop worker 2"]
