from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from scripted_groups import crew, group, record

from bench.measure.crew import Crew, Side
from bench.measure.determinism_processes import repeating, with_other_process
from bench.measure.group import Group, gather_facts
from bench.measure.messages import Failure
from bench.measure.workers import WorkerDied
from bench.model import Check, Record
from bench.suite import Settings
from bench.testing import ScriptedLauncher


def told(verdict: str = "repeats", reason: str = "") -> tuple[Check, ...]:
    """What a process says of its output against another's."""
    differing = int(verdict == "differs")
    what = "output/processes"
    return (Check(what=what, level="quick", verdict=verdict, repeats=1, differing=differing, reason=reason),)


def go(of: Group, launcher: ScriptedLauncher, level: str = "quick", *, cheap: bool = True) -> list[Record]:
    lent, folder = crew(launcher, cheap=cheap), Path("nowhere")
    records = gather_facts(of, of.alive, lent, record, repeating(level, folder))
    return with_other_process(of, records, lent, level, folder)


def after_the_facts(launcher: ScriptedLauncher) -> Sequence[str]:
    last = max(i for i, line in enumerate(launcher.transcript) if line.startswith("facts"))
    return launcher.transcript[last + 1 :]


def test_each_variant_is_repeated_where_its_facts_were_taken() -> None:
    launcher = ScriptedLauncher()
    go(group("a", "b"), launcher)
    assert launcher.transcript[:10] == [
        *("worker 1", "facts a", "probe a", "close", "drop worker 1"),
        *("worker 2", "facts b", "probe b", "close", "drop worker 2"),
    ]


def test_one_more_process_calls_every_variant_after_another_one() -> None:
    launcher = ScriptedLauncher()
    go(group("a", "b", "c"), launcher)
    assert after_the_facts(launcher)[3:] == [
        "worker 4",
        *("probe c", "probe a", "probe b", "probe c"),
        *("close", "drop worker 4"),
    ]


def test_nothing_is_repeated_when_that_is_off() -> None:
    launcher = ScriptedLauncher()
    records = go(group("a", "b"), launcher, "off")
    assert launcher.lines("probe") == []
    assert [r.checks for r in records] == [(), ()]


def test_a_single_variant_has_nobody_before_it() -> None:
    launcher = ScriptedLauncher()
    go(group("a"), launcher)
    assert launcher.lines("probe", "worker") == ["worker 1", "probe a", "worker 2", "probe a"]


def test_variants_with_settings_each_get_another_process_of_their_own() -> None:
    launcher = ScriptedLauncher()
    go(group("a", "b", settings={"b": Settings(environment={"B": "1"})}), launcher)
    assert launcher.lines("probe", "worker") == [
        *("worker 1", "probe a", "worker 2 B=1", "probe b"),
        *("worker 3", "probe a", "worker 4 B=1", "probe b"),
    ]


def test_a_side_has_its_own_other_processes_also_for_variants_with_settings() -> None:
    launchers = {side: ScriptedLauncher() for side in "ab"}
    lent = Crew({side: Side(launcher=launcher) for side, launcher in launchers.items()}, "cpu", cheap=True)
    of = group("x", "y", settings={"y": Settings(environment={"Y": "1"})}, sides=("a", "b"))
    for side in launchers:
        own = [name for name, member in of.members.items() if member.side == side]
        records = gather_facts(of, own, lent, record, repeating("quick", Path("nowhere")))
        with_other_process(of, records, lent, "quick", Path("nowhere"), side)
    for side, launcher in launchers.items():
        assert launcher.lines("probe", "worker") == [
            *("worker 1", f"probe {side}:x", "worker 2 Y=1", f"probe {side}:y"),
            *("worker 3", f"probe {side}:x", "worker 4 Y=1", f"probe {side}:y"),
        ]


def test_expensive_processes_serve_the_next_group_too_and_are_two() -> None:
    launcher = ScriptedLauncher()
    lent = crew(launcher, cheap=False)
    for of in (group("a", name="first"), group("b", name="second")):
        records = gather_facts(of, of.alive, lent, record, repeating("quick", Path("nowhere")))
        with_other_process(of, records, lent, "quick", Path("nowhere"))
    assert launcher.launched == 2
    assert launcher.lines("facts", "probe", "worker") == [
        *("worker 1", "facts a", "probe a", "worker 2", "probe a"),
        *("facts b", "probe b", "probe b"),
    ]


def test_what_other_processes_say_is_added_up_in_the_record() -> None:
    launcher = ScriptedLauncher(checks={"a": told(), "b": told()})
    a, b = go(group("a", "b"), launcher)
    assert [(c.what, c.repeats, c.reason) for c in a.checks if c.repeats == 1][1:] == [
        ("output/processes", 1, "0 of 1 repeat differed: fewer than 95 % differ, at 95 %")
    ]
    assert [(c.what, c.repeats, c.reason) for c in b.checks if c.repeats == 2] == [
        ("output/processes", 2, "0 of 2 repeats differed: fewer than 78 % differ, at 95 %")
    ]


def test_a_case_that_another_process_does_not_repeat_loses_its_hash() -> None:
    launcher = ScriptedLauncher(
        facts={"a": {"bits/output": "abc", "memory/peak": 1.0}}, checks={"a": told("differs", "output/0 is 1, was 2")}
    )
    (a,) = go(group("a"), launcher)
    assert a.values == {"bits/output": "differs", "memory/peak": 1.0}
    assert a.checks[-1].reason == "1 of 1 repeat differed; output/0 is 1, was 2"


def test_a_case_that_fails_only_in_another_process_keeps_its_facts_and_says_so() -> None:
    calls: list[str] = []

    def script(name: str, phase: str) -> float | Failure:
        calls.append(phase)
        return Failure(status="failed", reason="ValueError: no") if calls.count("probe") == 2 else 1e-3

    (a,) = go(group("a"), ScriptedLauncher(script=script))
    assert (a.status, a.warnings) == ("ok", ("another process could not repeat it: ValueError: no",))


def test_a_process_that_dies_is_replaced_for_the_next_variant() -> None:
    calls: list[str] = []

    def script(name: str, phase: str) -> float | WorkerDied:
        calls.append(f"{phase} {name}")
        again = f"{phase} {name}" == "probe a" and calls.count("probe a") == 2
        return WorkerDied("failed", "the process crashed") if again else 1e-3

    launcher = ScriptedLauncher(script=script)
    a, b = go(group("a", "b"), launcher)
    assert a.warnings == ("another process could not repeat it: the process crashed",)
    assert b.warnings == ()
    assert after_the_facts(launcher)[3:] == [
        *("worker 3", "probe b", "probe a", "drop worker 3", "worker 4", "probe b", "close", "drop worker 4"),
    ]


def test_a_case_that_failed_is_not_repeated() -> None:
    def script(name: str, phase: str) -> float | Failure:
        return Failure(status="failed", reason="no") if name == "a" else 1e-3

    launcher = ScriptedLauncher(script=script)
    go(group("a", "b"), launcher)
    assert launcher.lines("probe") == ["probe b", "probe b"]
