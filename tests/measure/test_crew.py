from __future__ import annotations

import pytest

from bench.errors import BenchError
from bench.measure.crew import Crew, Side, ask
from bench.measure.messages import Describe, Failure, Reply, Request, Take
from bench.measure.workers import WorkerDied
from bench.suite import Settings
from bench.testing import ScriptedLauncher, ScriptedWorker


def crew(launcher: ScriptedLauncher, *, cheap: bool = True, settings: Settings | None = None) -> Crew:
    return Crew({"": Side(launcher=launcher, settings=settings)}, "cpu", cheap=cheap)


def test_variants_that_share_get_the_same_worker_until_the_process_ends() -> None:
    launcher = ScriptedLauncher()
    lent = crew(launcher)
    assert lent.shared("") is lent.shared("")
    lent.end_process()
    lent.shared("")
    assert launcher.transcript == ["worker 1", "drop worker 1", "worker 2"]


def test_an_expensive_worker_serves_the_next_group_and_ends_with_the_pass() -> None:
    launcher = ScriptedLauncher()
    lent = crew(launcher, cheap=False)
    first = lent.shared("")
    lent.end_process()
    assert lent.shared("") is first
    lent.end_pass()
    assert launcher.transcript == ["worker 1", "drop worker 1"]


def test_a_dropped_worker_is_not_lent_again() -> None:
    launcher = ScriptedLauncher()
    lent = crew(launcher, cheap=False)
    first = lent.shared("")
    lent.drop(first)
    assert lent.shared("") is not first
    assert launcher.transcript == ["worker 1", "drop worker 1", "worker 2"]


def test_a_dropped_worker_ends_while_the_next_one_starts_and_is_gone_before_that_takes_the_device(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    launcher = ScriptedLauncher()
    told = launcher.transcript
    monkeypatch.setattr(ScriptedWorker, "close", lambda worker: told.append(f"{worker.name} is gone"))
    monkeypatch.setattr(ScriptedWorker, "ask", lambda worker, _, **__: told.append(f"{worker.name} asked") or Reply())
    lent = crew(launcher)
    for _ in range(2):
        lent.shared("")
        lent.end_process()
    assert told == [
        *("worker 1", "worker 1 asked", "drop worker 1"),
        *("worker 2", "worker 1 is gone", "worker 2 asked", "drop worker 2"),
    ]


def test_an_isolated_worker_starts_with_the_environment_of_its_side_and_of_its_settings() -> None:
    launcher = ScriptedLauncher()
    lent = crew(launcher, settings=Settings(environment={"A": "side", "B": "side"}))
    lent.isolated("", settings=Settings(environment={"B": "own"}))
    assert launcher.transcript == ["worker 1 A=side B=own"]


def test_every_worker_takes_the_device_and_the_settings_of_its_side(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Request] = []
    monkeypatch.setattr(ScriptedWorker, "ask", lambda self, request, **_: asked.append(request) or Reply())
    side = Settings(threads=1)
    crew(ScriptedLauncher(), settings=side).shared("")
    assert asked == [Take(torch_name="cpu", settings=side)]


@pytest.mark.parametrize(
    "outcome", [WorkerDied("failed", "the process crashed: SIGSEGV"), Failure(status="failed", reason="no such device")]
)
def test_a_worker_that_cannot_start_is_one_line_that_names_the_doctor(
    monkeypatch: pytest.MonkeyPatch, outcome: WorkerDied | Failure
) -> None:
    def refuse(self: ScriptedWorker, request: Request, **_: object) -> Reply:
        if isinstance(outcome, WorkerDied):
            raise outcome
        return Reply(failure=outcome)

    monkeypatch.setattr(ScriptedWorker, "ask", refuse)
    worker = ScriptedLauncher().launch(environment={})
    with pytest.raises(BenchError, match=r"a worker could not start: .*(SIGSEGV|no such device); `bench doctor`"):
        ask(worker, Describe())
