"""Lend a case to another program's stopwatch: built and warmed as in a worker, in this very process.

A worker of our own measures better (fresh, interleaved, its settings set before torch is imported).  This serves tools
that bring their own clock, and gives the process back as it was.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Mapping

import torch

from bench.discover import Found
from bench.measure.device import Block, Device
from bench.measure.messages import Facts, Failure, Open, Reply, Request, Warm
from bench.measure.state import untouched
from bench.measure.worker import Worker
from bench.model import Case, Value
from bench.suite import Settings, Subject

# They describe a whole process, which here holds everything else too.
_OF_THE_PROCESS = ("memory/rss", "memory/nvml")
_NOT_HERE = "sets environment variables, which count only before torch is imported: measured by `bench run` alone"


class Unmeasured(Exception):  # noqa: N818  an event of measuring, not a mistake
    """A case that cannot be measured here; ``failure`` says how and why."""

    def __init__(self, failure: Failure) -> None:
        super().__init__(failure.reason)
        self.failure = failure


def open_request(found: Found, case: Case, seed: int) -> Open:
    """What a worker is told to build a case."""
    return Open(
        name=case.variant,
        file=str(found.path),
        benchmark=case.benchmark,
        variant=case.variant,
        like=case.baseline,
        point=case.point,
        seed=seed,
    )


@contextlib.contextmanager
def lent(case: Open, phase: str, device: Device, settings: Settings | None) -> Iterator[Callable[[], None]]:
    """One synchronised call of a phase.  Generators and torch's switches are put back; raises Unmeasured."""
    if settings is not None and settings.environment:
        raise Unmeasured(Failure(status="skipped", reason=_NOT_HERE))
    with _given_back():
        worker = Worker(device)
        _ask(worker, case)
        _ask(worker, Warm(name=case.name, phase=phase))
        yield _synchronised(worker.block(case.name, phase), device)


def facts(case: Open, device: Device) -> Mapping[str, Value]:
    """Memory, work and checks of a case by metric name; nothing for what could not be found out."""
    with _given_back():
        reply = Worker(device).answer(Facts(case=case))
    values = {name: value for name, value in reply.values.items() if not name.startswith(_OF_THE_PROCESS)}
    return {**values, **{check.what: check.verdict for check in reply.checks}}


def _given_back() -> contextlib.AbstractContextManager[object]:
    return untouched(Subject(lambda: None))


def _ask(worker: Worker, request: Request) -> Reply:
    reply = worker.answer(request)
    if reply.failure is not None:
        raise Unmeasured(reply.failure)
    return reply


def _synchronised(block: Block, device: Device) -> Callable[[], None]:
    if device.kind == "cpu":
        return lambda: block(1)
    synchronize = torch.cuda.synchronize

    def call() -> None:
        block(1)
        synchronize(device.torch_name)

    return call
