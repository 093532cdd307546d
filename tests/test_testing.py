from __future__ import annotations

import dataclasses
import inspect

import pytest

from bench.measure.device import Device
from bench.measure.messages import Close, Describe, Facts, Failure, Measure, Open, Take, Warm
from bench.measure.runner import Progress
from bench.measure.schedule import Step
from bench.measure.workers import Launcher, Worker, WorkerDied
from bench.testing import ScriptedDevice, ScriptedLauncher, ScriptedWorker, Silent

BIAS = Open(name="bias", file="f.py", benchmark="b", variant="bias", like="bias", point=(), seed=0)
METRONOME = Step(name="")


def step(name: str) -> Step:
    return Step(name=name, phase="forward", loops=3)


def worker(launcher: ScriptedLauncher) -> ScriptedWorker:
    return launcher.launch(environment={})


@pytest.mark.parametrize(
    ("scripted", "real"),
    [(ScriptedLauncher, Launcher), (ScriptedWorker, Worker), (ScriptedDevice, Device), (Silent, Progress)],
)
def test_the_scripted_parts_take_what_the_real_ones_take(scripted: type, real: type) -> None:
    methods = [name for name in vars(real) if name[0] != "_" and callable(getattr(real, name))]
    assert methods
    for name in methods:
        ours, theirs = (inspect.signature(getattr(kind, name)).parameters for kind in (scripted, real))
        assert list(ours) == list(theirs), name


def test_a_transcript_reads_as_what_was_asked_in_order() -> None:
    launcher = ScriptedLauncher()
    asked = launcher.launch(environment={"A": "1"})
    for request in (
        Take(torch_name="cpu"),
        Describe(),
        BIAS,
        Warm(name="bias", phase="forward"),
        Measure(steps=(METRONOME, step("bias"))),
        Facts(case=BIAS),
        Close(),
    ):
        asked.ask(request)
    asked.let_go()
    launcher.close()
    assert launcher.transcript == [
        "worker 1 A=1",
        "open bias",
        "warm bias forward",
        "measure metronome bias",
        "facts bias",
        "close",
        "drop worker 1",
        "end",
    ]


def test_rounds_begin_with_the_metronomes_whichever_messages_they_came_in() -> None:
    launcher = ScriptedLauncher()
    asked = worker(launcher)
    asked.ask(Measure(steps=(METRONOME, step("a"))))
    asked.ask(Measure(steps=(step("b"), METRONOME, step("b"))))
    asked.ask(Measure(steps=(step("a"),)))
    assert launcher.rounds() == ["a b", "b a"]


def test_a_script_is_asked_by_name_and_deed_and_answers_in_seconds() -> None:
    asked: list[tuple[str, str]] = []

    def script(name: str, what: str) -> float:
        asked.append((name, what))
        return 0.25

    subject = worker(ScriptedLauncher(script=script, facts={"bias": {"memory/parameters": 4.0}}))
    subject.ask(BIAS)
    warm = subject.ask(Warm(name="bias", phase="forward")).warm_up
    (taken,) = subject.ask(Measure(steps=(step("bias"),))).taken
    assert subject.ask(Facts(case=BIAS)).values == {"memory/parameters": 4.0}
    assert asked == [("bias", what) for what in ("open", "warm forward", "forward", "facts")]
    assert warm is not None
    assert taken.sample is not None
    assert (warm.seconds, taken.sample.seconds) == (0.25, 0.25)


def test_what_was_opened_with_extra_work_takes_that_share_longer() -> None:
    subject = worker(ScriptedLauncher(script=lambda name, what: 0.25))
    subject.ask(dataclasses.replace(BIAS, extra=0.1))
    taken = subject.ask(Measure(steps=(METRONOME, step("bias"), step("other")))).taken
    assert taken[0].metronomes == {"hash": 1e-4}
    assert [one.sample.seconds for one in taken[1:] if one.sample] == pytest.approx([0.275, 0.25])


def test_a_scripted_failure_is_a_reply_and_ends_its_batch() -> None:
    failure = Failure(status="failed", reason="no")
    subject = worker(ScriptedLauncher(script=lambda name, what: failure if name == "bad" else 1e-3))
    reply = subject.ask(Measure(steps=(METRONOME, step("good"), step("bad"), step("good"))))
    assert (reply.failure, reply.name, len(reply.taken)) == (failure, "bad", 2)
    assert subject.ask(Warm(name="bad", phase="forward")).failure == failure


@pytest.mark.parametrize("request_", [BIAS, Facts(case=BIAS), Measure(steps=(step("bias"),))])
def test_a_scripted_death_is_raised_as_a_real_one(request_: Open | Facts | Measure) -> None:
    launcher = ScriptedLauncher(script=lambda name, what: WorkerDied("oom", "killed"))
    with pytest.raises(WorkerDied, match="killed"):
        worker(launcher).ask(request_)
    assert len(launcher.transcript) == 2


def test_a_scripted_device_calls_every_block_and_takes_the_scripted_time() -> None:
    calls: list[int] = []
    times = iter((0.5, 0.25))
    device = ScriptedDevice(times.__next__, free_bytes=7)
    assert device.once(calls.append) == 0.5
    assert device.sample(calls.append, 6).seconds == 0.25
    assert device.peak(lambda: calls.append(0)) == {"peak": 1024.0}
    assert calls == [1, 6, 0]
    assert device.metronomes()
    assert device.transcript == ["once", "sample of 6", "peak", "metronomes"]
    assert device.free_bytes() == 7
