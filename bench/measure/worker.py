"""Inside a worker: builds subjects and answers "sample variant v".

One process measures one group or, where a process is expensive (CUDA), several in turn.
"""

from __future__ import annotations

import contextlib
import dataclasses
import gc
import traceback
import warnings
from collections.abc import Iterator
from pathlib import Path
from typing import BinaryIO

import torch

from bench.discover import load_benchmark
from bench.errors import BenchError
from bench.measure import determinism, memory, numerics, timing, work
from bench.measure.device import Block, Device, Sample
from bench.measure.environment import collect
from bench.measure.messages import (
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
    receive_request,
    send,
)
from bench.measure.placement import Placement
from bench.measure.schedule import METRONOME, Step
from bench.measure.settings import apply, keep_to_core
from bench.measure.state import untouched
from bench.measure.subject import block_of, build, require_gradients, share
from bench.model import Check
from bench.suite import Benchmark, Subject

_OUT_OF_MEMORY = ("out of memory", "can't allocate memory", "not enough memory")
# After these CUDA answers every later call of the process fails too (CUDA runtime API, "sticky" errors).
_BROKEN_CONTEXT = ("device-side assert", "illegal memory access", "unspecified launch failure", "misaligned address")


def make_device(torch_name: str) -> Device:
    """The device of a name such as ``cpu`` or ``cuda:0``."""
    if torch_name == "cpu":
        from bench.measure.cpu import Cpu

        return Cpu()
    from bench.measure.cuda import Cuda

    return Cuda(torch_name)


class Worker:
    """The state of a worker: its device and the subjects of the group that is open."""

    def __init__(self, device: Device | None = None) -> None:
        self._device = device
        self._opened: dict[str, tuple[Subject, Open]] = {}
        self._blocks: dict[tuple[str, str], Block] = {}
        self._model: Subject | None = None
        self._placement: Placement | None = None
        self._cold: set[tuple[str, str]] = set()
        self._just_warmed = False

    def answer(self, request: Request) -> Reply:
        """Do what is asked; what goes wrong in a subject is a Reply with its Failure, never an exception."""
        try:
            with _collected_warnings() as told:
                reply = self._do(request)
            return _with_warnings(reply, told)
        except (Exception, SystemExit) as error:
            return Reply(failure=failure_of(error))

    def _do(self, request: Request) -> Reply:
        if isinstance(request, Measure):
            return self._measure(request)
        if isinstance(request, Warm):
            return self._warm(request)
        if isinstance(request, Open):
            return self._open(request)
        if isinstance(request, Facts):
            return self._facts(request.case)
        if isinstance(request, Probe):
            return self._probe(request)
        if isinstance(request, Take):
            self._device = self._device or make_device(request.torch_name)
            if request.settings is not None:
                apply(request.settings)
            return Reply()
        if isinstance(request, Describe):
            ceilings = self.device.ceilings() if request.ceilings else {}
            return Reply(environment=collect(self.device.torch_name), ceilings=ceilings)
        return self._close()

    @property
    def device(self) -> Device:
        if self._device is None:
            raise BenchError("a worker takes a device before anything else")
        return self._device

    def block(self, name: str, phase: str) -> Block:
        """What ``Warm`` made ready, for a stopwatch in this process."""
        return self._blocks[name, phase]

    def _open(self, request: Open) -> Reply:
        benchmark = self._prepare(request)
        if request.turn is not None and self.device.kind == "cpu":
            keep_to_core(request.turn)
        subject = self._build_fairly(benchmark, request)
        if "backward" in benchmark.phases:
            require_gradients(subject)
        self._opened[request.name] = subject, request
        return Reply()

    def _warm(self, request: Warm) -> Reply:
        """Make the block only now: the graph of backward takes a forward call, which would spoil that first call."""
        subject, opened = self._opened[request.name]
        if self._placement is None:
            self._placement = Placement(self._subjects())
        block = block_of(subject, request.phase, opened.seed)
        warm_up = timing.warm_up(self.device, block)
        if opened.extra:
            block = timing.lengthened(block, opened.extra, self.device)
        self._blocks[request.name, request.phase] = block
        self._just_warmed = True
        if opened.turn is not None and self.device.kind == "cpu" and warm_up.seconds < timing.LONGEST_SAMPLE_SECONDS:
            self._cold.add((request.name, request.phase))
        return Reply(warm_up=warm_up)

    def _subjects(self) -> list[Subject]:
        """All that are open, each once, the model first."""
        opened = {id(subject): subject for subject, _ in self._opened.values()}
        return sorted(opened.values(), key=lambda subject: subject is not self._model)

    def _prepare(self, request: Open) -> Benchmark:
        """The benchmark of a case that fits this machine, with its variant's settings in force."""
        benchmark = load_benchmark(Path(request.file), request.benchmark)
        if benchmark.bytes_needed is not None:
            needed = benchmark.bytes_needed(benchmark.variants[request.variant], **dict(request.point))
            free = self.device.free_bytes()
            if needed > free:
                raise _DoesNotFitError(f"needs {needed / 2**30:.1f} GiB, {free / 2**30:.1f} GiB are free")
        for settings in (benchmark.settings(request.variant), request.settings):
            if settings is not None:
                apply(settings)
        return benchmark

    def _build_fairly(self, benchmark: Benchmark, request: Open) -> Subject:
        """The variant, with the values of its model (which is built first, and kept while variants follow)."""
        if self._model is None:
            self._model = self._build(benchmark, request.like, request)
        if request.variant == request.like:
            return self._model
        subject = self._build(benchmark, request.variant, request)
        share(self._model, subject)
        return subject

    def _build(self, benchmark: Benchmark, variant: str, request: Open) -> Subject:
        return build(benchmark, variant, request.point, self.device.torch_name, request.seed)

    def _measure(self, request: Measure) -> Reply:
        """Take the steps without collecting garbage in between; a failing step ends the batch and is named."""
        taken: list[Taken] = []
        if self._placement is not None and self._just_warmed:  # between samples it would take their caches
            self._placement.end_if_written()
            self._just_warmed = False
        gc.collect()
        gc.disable()
        try:
            for step in request.steps:
                if step.name == METRONOME:
                    taken.append(Taken(metronomes=dict(self.device.metronomes())))
                    continue
                try:
                    taken.append(Taken(sample=self._sample(step)))
                except (Exception, SystemExit) as error:
                    return Reply(name=step.name, failure=failure_of(error), taken=tuple(taken))
        finally:
            gc.enable()
        return Reply(taken=tuple(taken))

    def _sample(self, step: Step) -> Sample:
        """A sample; where others have the core and its caches in turn, short calls first make one that nobody times."""
        key = step.name, step.phase
        block = self._blocks[key]
        if key in self._cold:
            block(1)
        return self.device.sample(block, step.loops)

    def _facts(self, case: Open) -> Reply:
        benchmark = self._prepare(case)
        subject = self._build_fairly(benchmark, case)
        with untouched(subject):
            values = memory.measure(self.device, subject, benchmark.phases, case.seed)
        values |= work.measure(self._build(benchmark, case.variant, case), benchmark.phases, case.seed)
        checks: tuple[Check, ...] = ()
        if self._model is not None and case.variant != case.like == benchmark.baseline:
            backward = "backward" in benchmark.phases
            checks = numerics.checks(self._model, subject, backward=backward, seed=case.seed)
        return Reply(values=values, checks=checks)

    def _probe(self, request: Probe) -> Reply:
        benchmark = self._prepare(request.case)
        subject = self._build_fairly(benchmark, request.case)
        backward = "backward" in benchmark.phases and subject.backward is None
        values, checks = determinism.probe(subject, request, backward=backward)
        ran = determinism.operators_of(subject, request, backward=backward)
        return Reply(values=values, checks=checks, operators=ran)

    def _close(self) -> Reply:
        self._opened, self._blocks, self._model, self._placement, self._cold = {}, {}, None, None, set()
        gc.collect()
        return Reply()


class _DoesNotFitError(BenchError):
    """The machine has less memory than the case needs: a skip, decided before allocating."""


def failure_of(error: Exception | SystemExit) -> Failure:
    """The status and one sentence for what an author's code or the device raised."""
    text = f"{type(error).__name__}: {error}".split("\n")[0].rstrip(": ")
    trace = "".join(traceback.format_exception(error))
    if isinstance(error, _DoesNotFitError):
        return Failure(status="skipped", reason=str(error))
    lowered = str(error).lower()
    if isinstance(error, (MemoryError, torch.cuda.OutOfMemoryError)) or any(t in lowered for t in _OUT_OF_MEMORY):
        return Failure(status="oom", reason=text, trace=trace)
    return Failure(status="failed", reason=text, trace=trace, fatal=any(t in lowered for t in _BROKEN_CONTEXT))


@contextlib.contextmanager
def _collected_warnings() -> Iterator[list[warnings.WarningMessage]]:
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("default")
        yield told


def _with_warnings(reply: Reply, told: list[warnings.WarningMessage]) -> Reply:
    lines = dict.fromkeys(f"{w.category.__name__}: {w.message}".split("\n")[0] for w in told)
    return dataclasses.replace(reply, warnings=tuple(lines)) if lines else reply


def serve(requests: BinaryIO, replies: BinaryIO) -> None:
    """Answer until the runner goes."""
    worker = Worker()
    while (request := receive_request(requests)) is not None:
        send(replies, worker.answer(request))
