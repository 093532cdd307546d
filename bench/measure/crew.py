"""Who lends workers to groups: fresh ones where a process is cheap, the same one over a pass where it is not."""

from __future__ import annotations

from collections.abc import Mapping

from bench.errors import BenchError
from bench.measure.messages import Request, Reply, Take
from bench.measure.workers import Launcher, Worker, WorkerDied
from bench.suite import Settings


class Crew:
    """Workers that have taken the device.

    ``cheap``: a process of its own for every group (CPU).  Otherwise one process serves all groups of a pass, because
    a CUDA context and its libraries cost a second or two.
    """

    def __init__(self, launcher: Launcher, torch_name: str, *, cheap: bool) -> None:
        self._launcher, self._torch_name, self._cheap = launcher, torch_name, cheap
        self._kept: dict[bool, Worker] = {}

    def shared(self, *, taking_turns: bool) -> Worker:
        """The worker in which variants share a process."""
        if taking_turns not in self._kept:
            self._kept[taking_turns] = self._launch(taking_turns, {})
        return self._kept[taking_turns]

    def isolated(self, *, taking_turns: bool, settings: Settings | None) -> Worker:
        """A worker for one use, with the environment its settings ask for."""
        return self._launch(taking_turns, settings.environment if settings else {})

    def drop(self, worker: Worker) -> None:
        """Let a worker go that died or must not be used again."""
        worker.close()
        self._kept = {key: kept for key, kept in self._kept.items() if kept is not worker}

    def end_process(self) -> None:
        """A group's process is over: a cheap one ends, an expensive one serves the next group."""
        if self._cheap:
            self.end_pass()

    def end_pass(self) -> None:
        """Every process ends."""
        for worker in list(self._kept.values()):
            self.drop(worker)

    def _launch(self, taking_turns: bool, environment: Mapping[str, str]) -> Worker:
        worker = self._launcher.launch(taking_turns=taking_turns, environment=environment)
        ask(worker, Take(torch_name=self._torch_name))
        return worker


def ask(worker: Worker, request: Request) -> Reply:
    """The reply to a request that no case is to blame for.  Raises BenchError when it fails."""
    try:
        reply = worker.ask(request)
    except WorkerDied as died:
        raise BenchError(f"a worker could not start: {died.reason}; `bench doctor` may say why") from None
    if reply.failure is not None:
        raise BenchError(f"a worker could not start: {reply.failure.reason}; `bench doctor` may say why")
    return reply
