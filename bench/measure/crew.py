"""Who lends workers to groups: fresh ones where a process is cheap, the same one over a pass where it is not."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from bench.errors import BenchError
from bench.measure.messages import Reply, Request, Take
from bench.measure.workers import Launcher, Worker, WorkerDied
from bench.suite import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class Side:
    """Where workers come from, and the settings that all of them start with."""

    launcher: Launcher
    settings: Settings | None = None


class Crew:
    """Workers that have taken the device, by side: ``run`` has one side, ``""``; ``ab`` has ``a`` and ``b``.

    ``cheap``: a process of its own for every group (CPU).  Otherwise one process serves all groups of a pass, because
    a CUDA context and its libraries cost a second or two.
    """

    def __init__(self, sides: Mapping[str, Side], torch_name: str, *, cheap: bool) -> None:
        self._sides, self._torch_name, self._cheap = sides, torch_name, cheap
        self._kept: dict[tuple[str, str, str], Worker] = {}
        self._ending: list[Worker] = []

    def shared(self, side: str, *, settings: Settings | None = None, role: str = "") -> Worker:
        """The worker of a side in which what has these settings shares a process; each role has its own."""
        key = side, repr(settings), role
        if key not in self._kept:
            self._kept[key] = self.isolated(side, settings=settings)
        return self._kept[key]

    def isolated(self, side: str, *, settings: Settings | None) -> Worker:
        """A worker for one use, with the environment its settings ask for."""
        launcher, common = self._sides[side].launcher, self._sides[side].settings
        environment = {**(common.environment if common else {}), **(settings.environment if settings else {})}
        worker = launcher.launch(environment=environment)
        while self._ending:  # gone before the new one measures anything
            self._ending.pop().close()
        ask(worker, Take(torch_name=self._torch_name, settings=common))
        return worker

    def drop(self, worker: Worker) -> None:
        """Let a worker go that died or must not be used again; it ends while the next one begins."""
        worker.let_go()
        self._ending.append(worker)
        self._kept = {key: kept for key, kept in self._kept.items() if kept is not worker}

    def end_process(self) -> None:
        """A group's process is over: a cheap one ends, an expensive one serves the next group."""
        if self._cheap:
            self.end_pass()

    def end_pass(self) -> None:
        """Every process ends."""
        for worker in list(self._kept.values()):
            self.drop(worker)


def ask(worker: Worker, request: Request) -> Reply:
    """The reply to a request that no case is to blame for.  Raises BenchError when it fails."""
    try:
        reply = worker.ask(request)
    except WorkerDied as died:
        raise BenchError(f"a worker could not start: {died.reason}; `bench doctor` may say why") from None
    if reply.failure is not None:
        raise BenchError(f"a worker could not start: {reply.failure.reason}; `bench doctor` may say why")
    return reply
