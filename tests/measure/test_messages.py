from __future__ import annotations

import io
import typing

import pytest

from bench.measure.device import Sample
from bench.measure.messages import (
    Close,
    Describe,
    Facts,
    Failure,
    Measure,
    Open,
    Probe,
    Reply,
    Request,
    Take,
    Taken,
    Warm,
    receive_reply,
    receive_request,
    send,
)
from bench.measure.schedule import Step
from bench.measure.timing import WarmUp
from bench.model import Check, Environment
from bench.suite import Settings

OPEN = Open(
    name="a:bias",
    file="/suites/conv/bias.py",
    benchmark="bias",
    variant="bias",
    like="no_bias",
    point=(("dtype", "nan"), ("flag", True), ("n", 4), ("none", None), ("x", 0.5)),
    seed=7,
    extra=0.05,
    settings=Settings(threads=1, deterministic_algorithms="warn"),
)
REQUESTS: tuple[Request, ...] = (
    Take(torch_name="cuda:1", settings=Settings(cudnn_benchmark=True, environment={"A": "1"})),
    Take(torch_name="cpu"),
    Describe(ceilings=True),
    OPEN,
    Warm(name="bias", phase="forward"),
    Measure(steps=(Step(name=""), Step(name="bias", phase="forward", loops=3))),
    Facts(case=OPEN),
    Probe(case=OPEN, level="full", knobs="threads=1", repeats=20, seconds=0.5, keep="/tmp/a", against="/tmp/b"),
    Close(),
)
SAMPLE = Sample(seconds=1e-3, flags=("preempted", "stolen"), siblings={"hot": 9e-4, "wall": float("inf")})
REPLIES = (
    Reply(),
    Reply(failure=Failure(status="oom", reason="MemoryError", trace="line\nline", fatal=True), name="bias"),
    Reply(environment=Environment(facts={"torch": "2", "gpu": None}, reasons={"gpu": "none here"})),
    Reply(ceilings={"bytes": 1e10}),
    Reply(warm_up=WarmUp(first_call=0.5, settle=4, seconds=1e-3)),
    Reply(taken=(Taken(metronomes={"hash": 1e-4}), Taken(sample=SAMPLE))),
    Reply(
        values={"memory/peak/forward": 1024.0, "bits/output": "abc"},
        checks=(Check(what="output", level="numeric", verdict="close", error=1e-7, tolerance=float("inf")),),
        warnings=("UserWarning: ü",),
    ),
)


def lines(*messages: Request | Reply) -> io.BytesIO:
    file = io.BytesIO()
    for message in messages:
        send(file, message)
    file.seek(0)
    return file


def test_every_kind_of_request_is_tried_here() -> None:
    assert {type(request) for request in REQUESTS} == set(typing.get_args(Request))


@pytest.mark.parametrize("request_", REQUESTS, ids=lambda r: type(r).__name__)
def test_a_request_arrives_as_it_was_sent(request_: Request) -> None:
    assert receive_request(lines(request_)) == request_


@pytest.mark.parametrize("reply", REPLIES, ids=range(len(REPLIES)))
def test_a_reply_arrives_as_it_was_sent(reply: Reply) -> None:
    assert receive_reply(lines(reply)) == reply


def test_messages_follow_each_other_one_a_line() -> None:
    file = lines(*REQUESTS)
    assert file.getvalue().count(b"\n") == len(REQUESTS)
    assert tuple(iter(lambda: receive_request(file), None)) == REQUESTS


def test_a_runner_that_has_gone_sends_no_request() -> None:
    assert receive_request(io.BytesIO()) is None


def test_a_worker_that_died_while_it_wrote_has_not_replied() -> None:
    whole = lines(REPLIES[5]).getvalue()
    for length in (0, 1, len(whole) // 2, len(whole) - 1):
        assert receive_reply(io.BytesIO(whole[:length])) is None


def test_what_a_later_version_adds_is_ignored() -> None:
    assert receive_reply(io.BytesIO(b'{"message": "Reply", "name": "bias", "mood": "fine"}\n')) == Reply(name="bias")
