from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest
from scripted_groups import crew, group, record

from bench.measure import determinism_matrix
from bench.measure.determinism_matrix import Matrix, checked, priced, seats
from bench.measure.group import Group, MakeRecord
from bench.measure.knobs import DEFAULT, Cell
from bench.measure.messages import Failure, Probe, Reply, Request
from bench.model import Record
from bench.suite import Settings
from bench.testing import ScriptedLauncher, ScriptedWorker

SEED = Cell(name="seed", settings=Settings(environment={"SEED": "1"}), must_agree=True, is_timed=False)
WARN = Cell(name="warn", settings=Settings(deterministic_algorithms="warn"), is_timed=False)
ON = Cell(name="on", settings=Settings(deterministic_algorithms=True), may_raise=True)


class KeepingWorker(ScriptedWorker):
    """Leaves the files that a real worker would."""

    def ask(self, request: Request, *, limit_seconds: float = 600.0) -> Reply:
        reply = super().ask(request, limit_seconds=limit_seconds)
        if isinstance(request, Probe):
            how = [f"repeat {request.repeats}"] if request.repeats else []
            how += ["keep"] if request.keep else []
            how += [f"against {Path(request.against).name}"] if request.against else []
            self.launcher.transcript[-1] += f" ({', '.join(how)})"
            if request.keep and reply.failure is None:
                Path(request.keep).touch()
        return reply


@pytest.fixture
def launcher(monkeypatch: pytest.MonkeyPatch) -> ScriptedLauncher:
    monkeypatch.setattr("bench.testing.ScriptedWorker", KeepingWorker)
    monkeypatch.setattr(determinism_matrix, "cells", lambda _: (DEFAULT, SEED, WARN, ON))
    monkeypatch.setattr(
        determinism_matrix, "file_of", lambda folder, case, cell="": folder / f"{case.variant}{cell and '-' + cell}"
    )
    return ScriptedLauncher()


def matrix(launcher: ScriptedLauncher, *groups: Group, kept: list[Record], earlier: Sequence[Record] = ()) -> Matrix:
    def make(of: Group) -> MakeRecord:
        return lambda member, **measured: record(member, knobs=member.knobs, **measured)

    return Matrix(groups, "cpu", crew(launcher), make=make, keep=kept.append, earlier=earlier)


def test_every_cell_is_two_processes_over_all_cases_and_the_second_goes_backwards(
    launcher: ScriptedLauncher, tmp_path: Path
) -> None:
    kept: list[Record] = []
    matrix(launcher, group("a", "b"), kept=kept).check(tmp_path, lambda _: None)
    assert launcher.transcript == [
        # the default keeps what the others are compared with
        *("worker 1", "probe a (keep)", "probe b (keep)", "drop worker 1"),
        # one process says all where the bits must be the same
        *("worker 2 SEED=1", "probe b (against b)", "probe a (against a)", "drop worker 2"),
        "worker 3",
        *("probe a (repeat 10, keep, against a)", "probe b (repeat 10, keep, against b)", "drop worker 3"),
        *("worker 4", "probe b (against b-warn)", "probe a (against a-warn)", "drop worker 4"),
        "worker 5",
        *("probe a (repeat 10, keep, against a)", "probe b (repeat 10, keep, against b)", "drop worker 5"),
        *("worker 6", "probe b (against b-on)", "probe a (against a-on)", "drop worker 6"),
    ]
    assert [(r.case.variant, r.knobs, r.process, r.status) for r in kept] == [
        (variant, cell, 0, "ok") for cell in ("seed", "warn", "on") for variant in ("a", "b")
    ]


def test_a_case_that_raises_in_a_cell_is_kept_with_its_reason_and_not_asked_again(
    launcher: ScriptedLauncher, tmp_path: Path
) -> None:
    probes: list[str] = []

    def script(name: str, phase: str) -> float | Failure:
        probes.append(name)
        raises = name == "a" and probes.count("a") == 5  # in the cell "on", after default, seed and twice warn
        return Failure(status="failed", reason="does not have a deterministic implementation") if raises else 1e-3

    launcher.script = script
    kept: list[Record] = []
    matrix(launcher, group("a", "b"), kept=kept).check(tmp_path, lambda _: None)
    raised = [(r.case.variant, r.knobs, r.reason) for r in kept if r.status != "ok"]
    assert raised == [("a", "on", "does not have a deterministic implementation")]
    assert launcher.lines("probe")[-3:] == [
        *("probe a (repeat 10, keep, against a)", "probe b (repeat 10, keep, against b)", "probe b (against b-on)")
    ]


def test_variants_with_settings_are_cells_already() -> None:
    of = group("a", "b", settings={"b": Settings(cudnn_benchmark=True)})
    assert [seat.member.case.variant for seat in seats([of], WARN)] == ["a"]


def test_questions_that_are_not_timed_are_asked_where_bits_must_agree_or_something_may_raise() -> None:
    untimed = group("a", phases=())
    assert [bool(seats([untimed], cell)) for cell in (DEFAULT, SEED, WARN, ON)] == [True, True, False, True]


def test_the_cells_of_a_case_are_timed_as_variants_of_one_group() -> None:
    of = group("a", "b")
    (first, second) = priced([of], (DEFAULT, SEED, WARN, ON), {})
    assert first.name == of.members["a"].case.id
    assert list(second.members) == ["default", "on"]
    assert second.open("on").settings == ON.settings
    assert (second.open("on").variant, second.open("on").like) == ("b", "a")


def test_a_cell_that_did_not_work_is_not_timed() -> None:
    of = group("a", "b")
    out = {(of.members["a"].case.id, "on")}
    assert [made.name for made in priced([of], (DEFAULT, ON), out)] == [of.members["b"].case.id]


def test_the_last_point_of_every_benchmark_is_timed_first() -> None:
    points = [group("a", name="small"), group("a", name="large")]
    points[1].found = points[0].found
    other = group("a", name="other")
    made = priced([*points, other], (DEFAULT, ON), {})
    assert [of.name.partition("[")[0] for of in made] == ["odd/large", "odd/other", "odd/small"]


def test_prices_take_as_many_processes_as_an_interval_needs(launcher: ScriptedLauncher) -> None:
    kept: list[Record] = []
    matrix(launcher, group("a"), kept=kept).price(1e6, lambda _: None)
    timed = [(r.knobs, r.process) for r in kept]
    assert sorted(timed) == [(cell, number) for cell in ("default", "on") for number in range(1, 6)]
    assert all(r.samples for r in kept)


def test_without_time_one_case_is_priced_all_the_same(launcher: ScriptedLauncher) -> None:
    kept: list[Record] = []
    matrix(launcher, group("a", "b"), kept=kept).price(0.0, lambda _: None)
    assert {r.case.variant for r in kept} == {"a"}
    assert len(kept) == 10


def test_what_was_measured_before_an_interruption_is_not_measured_again(
    launcher: ScriptedLauncher, tmp_path: Path
) -> None:
    first: list[Record] = []
    matrix(launcher, group("a"), kept=first).check(tmp_path, lambda _: None)
    matrix(launcher, group("a"), kept=first).price(1e6, lambda _: None)
    launcher.transcript.clear()
    again: list[Record] = []
    resumed = matrix(launcher, group("a"), kept=again, earlier=first[:-2])
    resumed.check(tmp_path, lambda _: None)
    resumed.price(1e6, lambda _: None)
    assert [(r.knobs, r.process) for r in again] == [("default", 5), ("on", 5)]
    assert launcher.lines("probe") == ["probe a (keep)"]


def test_the_default_says_nothing_of_itself(launcher: ScriptedLauncher, tmp_path: Path) -> None:
    assert list(checked(DEFAULT, seats([group("a")], DEFAULT), crew(launcher), tmp_path)) == []
