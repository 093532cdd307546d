from __future__ import annotations

import gc
import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
import torch

from bench.measure.messages import (
    Close,
    Describe,
    Facts,
    Failure,
    Measure,
    Open,
    Reply,
    Request,
    Take,
    Warm,
    receive_reply,
    send,
)
from bench.measure.schedule import Step
from bench.measure.worker import Worker, failure_of, serve
from bench.suite import Settings
from bench.testing import ScriptedDevice

SUITE = '''
"""What does a worker do with it?"""

import gc, sys, warnings

import torch
from torch import nn

from bench import Subject, benchmark


def plain(x): return x * 2
def same(x): return x + x
def other(x): return x * 3
def in_place(x): return x.mul_(2)
def raises(x): raise ValueError("first line\\nsecond line")
def tires(x, calls=[]):
    calls.append(x)
    if len(calls) > 3:  # as many as warm it up
        raise ValueError("tired")
def leaves(x): sys.exit(3)
def warns(x):
    warnings.warn("look here")
    return x
def collected(x):
    assert not gc.isenabled(), "garbage may be collected in a sample"
    return x

CALLS = [plain, same, other, in_place, raises, tires, leaves, warns, collected]


@benchmark(variants={f.__name__: f for f in CALLS}, cpu={"n": [4]}, phases=("forward", "inference"))
def calls(call, n):
    """Functions."""
    return Subject(call, torch.randn(n))


@benchmark(variants={"small": 1, "large": 1 << 30}, cpu={"n": [4]}, bytes_needed=lambda size, n: size * n)
def sizes(size, n):
    """Sizes."""
    return Subject(torch.sin, torch.randn(n))


@benchmark(variants={"broken": True, "sound": False, "sound_too": False}, cpu={"n": [4]}, phases=("forward",))
def builds(broken, n):
    """A baseline that cannot be built."""
    if broken:
        raise ValueError("no such baseline")
    return Subject(nn.Linear(n, n), torch.randn(n))


@benchmark(variants={"plain": 0, "later": 1}, cpu={"n": [4]})
def linear(skipped, n):
    """A variant that draws a number first."""
    torch.randn(skipped)
    return Subject(nn.Linear(n, n), torch.randn(2, n))
'''


@pytest.fixture
def suite(tmp_path: Path) -> Path:
    (tmp_path / "suite.py").write_text(SUITE)
    return tmp_path / "suite.py"


@pytest.fixture
def device() -> ScriptedDevice:
    return ScriptedDevice(free_bytes=1 << 30)


class Asked:
    """A worker with one suite file, asked in few words."""

    def __init__(self, suite: Path, device: ScriptedDevice) -> None:
        self.suite, self.worker = suite, Worker(device)

    def case(self, variant: str, benchmark: str = "calls", like: str = "plain") -> Open:
        file = str(self.suite)
        return Open(name=variant, file=file, benchmark=benchmark, variant=variant, like=like, point=(("n", 4),), seed=0)

    def ask(self, request: Request) -> Reply:
        return self.worker.answer(request)

    def opened(self, *variants: str, **of: Any) -> None:
        for variant in variants:
            assert self.ask(self.case(variant, **of)).failure is None

    def warmed(self, *variants: str, phase: str = "forward") -> None:
        self.opened(*variants)
        for variant in variants:
            assert self.ask(Warm(name=variant, phase=phase)).failure is None

    def measure(self, *names: str) -> Reply:
        return self.ask(Measure(steps=tuple(Step(name=n, phase="forward" if n else "", loops=5) for n in names)))


@pytest.fixture
def asked(suite: Path, device: ScriptedDevice) -> Asked:
    return Asked(suite, device)


def failure(reply: Reply) -> Failure:
    assert reply.failure is not None
    return reply.failure


def test_opening_a_variant_calls_nothing_so_that_its_first_call_is_the_first(
    asked: Asked, device: ScriptedDevice
) -> None:
    asked.opened("raises")
    assert device.transcript == []
    assert failure(asked.ask(Warm(name="raises", phase="forward"))).reason == "ValueError: first line"


def test_steps_are_taken_in_their_order_with_their_loops(asked: Asked, device: ScriptedDevice) -> None:
    asked.warmed("plain", "other")
    device.transcript.clear()
    reply = asked.measure("", "other", "plain", "")
    assert device.transcript == ["metronomes", "sample of 5", "sample of 5", "metronomes"]
    assert [bool(taken.sample) for taken in reply.taken] == [False, True, True, False]
    assert reply.taken[0].metronomes == {"hash": 1e-4}


@pytest.mark.parametrize(
    ("turn", "kind", "seconds", "calls"),
    [(None, "cpu", 1e-3, 5), (0, "cpu", 1e-3, 6), (0, "cpu", 60.0, 5), (0, "cuda", 1e-3, 5)],
    ids=["alone", "in turn", "a call of a minute", "on a GPU"],
)
def test_who_takes_turns_makes_one_short_call_before_each_sample(
    suite: Path, turn: int | None, kind: str, seconds: float, calls: int
) -> None:
    device = ScriptedDevice(lambda: seconds)
    device.kind = kind
    asked, called = Asked(suite, device), list[int]()
    asked.ask(replace(asked.case("plain"), turn=turn))
    asked.ask(Warm(name="plain", phase="forward"))
    asked.worker._blocks["plain", "forward"] = called.append
    device.transcript.clear()
    assert asked.measure("plain").failure is None
    assert sum(called) == calls
    assert device.transcript == ["sample of 5"]


def test_inputs_are_compared_after_warming_and_not_between_samples(
    asked: Asked, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked.warmed("plain", "other")
    compared: list[object] = []
    monkeypatch.setattr(torch, "equal", lambda *pair: bool(compared.append(pair)) or True)
    asked.measure("plain")
    assert len(compared) == 1
    asked.measure("other")
    assert len(compared) == 1


def places(asked: Asked, *names: str) -> set[int]:
    return {asked.worker._opened[name][0].inputs[0].data_ptr() for name in names}


def test_variants_read_their_input_in_one_place_while_they_are_sampled(asked: Asked) -> None:
    asked.warmed("plain", "other", "same")
    assert asked.measure("plain", "other", "same").failure is None
    assert len(places(asked, "plain", "other", "same")) == 1


def test_a_variant_that_writes_to_its_input_does_so_alone(asked: Asked) -> None:
    asked.warmed("plain", "in_place")
    before = asked.worker._opened["plain"][0].inputs[0].clone()
    assert len(places(asked, "plain", "in_place")) == 1
    asked.measure("plain", "in_place", "plain")
    assert len(places(asked, "plain", "in_place")) == 2
    (ours,), (theirs,) = (asked.worker._opened[name][0].inputs for name in ("plain", "in_place"))
    warmed_three_times = 2**3
    assert torch.equal(before, warmed_three_times * ours)
    assert torch.equal(theirs, 2**5 * ours)  # one sample of five calls since it has its own again


def test_no_garbage_is_collected_between_samples_and_it_is_afterwards(asked: Asked) -> None:
    asked.opened("collected", like="collected")
    gc.disable()
    try:
        asked.ask(Warm(name="collected", phase="forward"))
    finally:
        gc.enable()
    assert asked.measure("collected").failure is None
    assert gc.isenabled()


def test_a_failing_step_ends_its_batch_names_its_variant_and_keeps_what_was_taken(asked: Asked) -> None:
    asked.warmed("plain", "tires")
    reply = asked.measure("", "plain", "tires", "plain")
    assert (reply.name, len(reply.taken)) == ("tires", 2)
    assert failure(reply).reason == "ValueError: tired"
    assert gc.isenabled()


def test_a_suite_that_exits_is_a_failure_of_its_case(asked: Asked) -> None:
    asked.opened("leaves")
    assert failure(asked.ask(Warm(name="leaves", phase="forward"))).reason == "SystemExit: 3"


def test_warnings_come_with_the_reply_once_each(asked: Asked) -> None:
    assert asked.ask(Facts(case=asked.case("warns"))).warnings == ("UserWarning: look here",)


def test_a_case_that_needs_more_memory_than_is_free_is_skipped_before_it_is_built(asked: Asked) -> None:
    reply = asked.ask(asked.case("large", "sizes", like="small"))
    assert failure(reply) == Failure(status="skipped", reason="needs 4.0 GiB, 1.0 GiB are free")
    assert asked.ask(asked.case("small", "sizes", like="small")).failure is None


def test_variants_are_built_with_the_values_of_the_one_they_are_like(asked: Asked) -> None:
    reply = asked.ask(Facts(case=asked.case("later", "linear", like="plain")))
    assert {check.what: check.verdict for check in reply.checks} == {"output": "identical", "gradient": "identical"}


def test_variants_go_on_without_a_baseline_and_are_then_compared_with_nobody(asked: Asked) -> None:
    assert failure(asked.ask(asked.case("broken", "builds", like="broken"))).reason == "ValueError: no such baseline"
    for variant in ("sound", "sound_too"):
        reply = asked.ask(Facts(case=asked.case(variant, "builds", like="sound")))
        assert reply.failure is None
        assert reply.checks == ()


def test_facts_are_memory_work_and_checks_against_the_baseline(asked: Asked) -> None:
    reply = asked.ask(Facts(case=asked.case("same")))
    assert reply.values["memory/peak/forward"] == reply.values["memory/peak/inference"] == 1024.0
    assert reply.values["work/flops(torch)"] == 0
    assert [check.verdict for check in reply.checks] == ["identical"]
    assert asked.ask(Close()) == Reply()
    assert asked.ask(Facts(case=asked.case("plain"))).checks == ()


def test_measuring_memory_leaves_the_inputs_that_the_checks_then_see(asked: Asked) -> None:
    (check,) = asked.ask(Facts(case=asked.case("in_place"))).checks
    assert check.verdict == "identical"


def test_after_close_nothing_of_the_group_is_left(asked: Asked) -> None:
    asked.warmed("plain")
    asked.ask(Close())
    assert failure(asked.ask(Warm(name="plain", phase="forward"))).reason.startswith("KeyError")
    assert failure(asked.measure("plain")).reason.startswith("KeyError")


def test_phases_are_warmed_and_sampled_apart(asked: Asked) -> None:
    asked.warmed("plain", phase="inference")
    assert failure(asked.measure("plain")).reason.startswith("KeyError")  # forward was not warmed


def test_settings_of_take_hold_for_the_process(asked: Asked) -> None:
    before = torch.get_num_threads()
    try:
        asked.ask(Take(torch_name="cpu", settings=Settings(threads=before + 1)))
        assert torch.get_num_threads() == before + 1
    finally:
        torch.set_num_threads(before)


def test_the_environment_is_described_and_roofs_only_when_asked_for(asked: Asked) -> None:
    plain, with_roofs = asked.ask(Describe()), asked.ask(Describe(ceilings=True))
    assert plain.environment is not None
    assert plain.environment.facts["torch"] == torch.__version__
    assert plain.ceilings == {}
    assert with_roofs.ceilings == {"bytes": 1e10, "flops": 1e11}


def test_a_worker_without_a_device_says_so(suite: Path) -> None:
    assert "takes a device" in failure(Asked(suite, None).ask(Describe(ceilings=True))).reason  # type: ignore[arg-type]


def test_a_device_is_taken_by_name() -> None:
    worker = Worker()
    assert worker.answer(Take(torch_name="cpu")).failure is None
    assert worker.device.kind == "cpu"


@pytest.mark.parametrize(
    ("error", "status", "reason", "fatal"),
    [
        (ValueError("one\ntwo"), "failed", "ValueError: one", False),
        (MemoryError(), "oom", "MemoryError", False),
        (RuntimeError("DefaultCPUAllocator: can't allocate memory: 9 bytes"), "oom", None, False),
        (RuntimeError("CUDA out of memory. Tried to allocate"), "oom", None, False),
        (torch.cuda.OutOfMemoryError("CUDA"), "oom", None, False),
        (RuntimeError("CUDA error: an illegal memory access was encountered"), "failed", None, True),
        (RuntimeError("CUDA error: device-side assert triggered"), "failed", None, True),
    ],
)
def test_what_is_raised_becomes_a_status_and_one_line(
    error: Exception, status: str, reason: str | None, fatal: bool
) -> None:
    found = failure_of(error)
    assert (found.status, found.fatal) == (status, fatal)
    assert found.reason == (reason or f"{type(error).__name__}: {error}")
    assert type(error).__name__ in found.trace


def test_a_worker_answers_until_the_runner_goes() -> None:
    requests, replies = io.BytesIO(), io.BytesIO()
    for request in (Take(torch_name="cpu"), Close(), Describe()):
        send(requests, request)
    requests.seek(0)
    serve(requests, replies)
    replies.seek(0)
    answers = list(iter(lambda: receive_reply(replies), None))
    assert answers[:2] == [Reply(), Reply()]
    assert answers[2].environment is not None
    assert len(answers) == 3
