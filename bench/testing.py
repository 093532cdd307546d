"""Test a suite, a schedule or a whole run without a clock: scripted workers and a scripted device, with transcripts.

Like httpx's MockTransport this seam is public: a plug-in's author may script a run too.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from bench.measure.device import Block, Sample
from bench.measure.messages import Describe, Facts, Failure, Measure, Open, Probe, Reply, Request, Take, Taken, Warm
from bench.measure.schedule import METRONOME, Step
from bench.measure.timing import WarmUp
from bench.measure.workers import WorkerDied
from bench.model import Check, Environment

# What a scripted variant does: it takes so many seconds a call, or this goes wrong.
Behaviour = float | Failure | WorkerDied
Script = Callable[[str, str], Behaviour]


@dataclass(slots=True, kw_only=True)
class ScriptedLauncher:
    """Workers that answer from ``script(name, phase)`` and write what they were asked into ``transcript``.

    ``script`` is asked about ``open``, ``facts``, ``warm forward`` (a phase) and, for every sample, ``forward``.
    ``facts``: variant -> metric -> value.
    """

    script: Script = field(default=lambda name, phase: 1e-3)  # noqa: ARG005
    facts: Mapping[str, Mapping[str, float]] = field(default_factory=dict)
    checks: Mapping[str, tuple[Check, ...]] = field(default_factory=dict)
    transcript: list[str] = field(default_factory=list)
    launched: int = 0

    def launch(self, *, environment: Mapping[str, str]) -> ScriptedWorker:
        self.launched += 1
        extra = "".join(f" {name}={value}" for name, value in environment.items())
        self.transcript.append(f"worker {self.launched}{extra}")
        return ScriptedWorker(launcher=self, name=f"worker {self.launched}")

    def close(self) -> None:
        self.transcript.append("end")

    def lines(self, *beginnings: str) -> list[str]:
        """The lines of the transcript that begin with one of these."""
        return [line for line in self.transcript if line.startswith(beginnings)]

    def rounds(self) -> list[str]:
        """What was sampled, a line for every time that the metronomes were asked: ``no_bias bias``."""
        names = " ".join(line.removeprefix("measure ") for line in self.lines("measure "))
        return [line.strip() for line in names.split("metronome")[1:]]


@dataclass(slots=True, kw_only=True)
class ScriptedWorker:
    """One worker of a ScriptedLauncher; what was opened with extra work takes that share longer."""

    launcher: ScriptedLauncher
    name: str
    extra: dict[str, float] = field(default_factory=dict)

    def ask(self, request: Request, *, limit_seconds: float = 600.0) -> Reply:  # noqa: ARG002
        if isinstance(request, Take):
            return Reply()
        if isinstance(request, Describe):
            return Reply(environment=Environment(facts={"python": "scripted", "torch": "scripted"}))
        if isinstance(request, Measure):
            return self._measure(request)
        if isinstance(request, Open):
            self.extra[request.name] = request.extra
            return self._do("open", request.name)
        if isinstance(request, Facts):
            reply = self._do("facts", request.case.name)
            return Reply(failure=reply.failure, values=self.launcher.facts.get(request.case.variant, {}))
        if isinstance(request, Probe):
            reply = self._do("probe", request.case.name)
            return Reply(failure=reply.failure, checks=self.launcher.checks.get(request.case.variant, ()))
        if isinstance(request, Warm):
            reply = self._do(f"warm {request.phase}", request.name)
            warm = reply.warm_up or WarmUp(first_call=1e-3, settle=3, seconds=1e-3)
            return Reply(failure=reply.failure, warm_up=warm)
        self.launcher.transcript.append("close")
        return Reply()

    def let_go(self) -> None:
        self.launcher.transcript.append(f"drop {self.name}")

    def close(self) -> None: ...

    def _do(self, what: str, name: str) -> Reply:
        verb, _, phase = what.partition(" ")
        self.launcher.transcript.append(f"{verb} {name} {phase}".rstrip())
        behaviour = self.launcher.script(name, what)
        if isinstance(behaviour, WorkerDied):
            raise behaviour
        if isinstance(behaviour, Failure):
            return Reply(failure=behaviour)
        return Reply(warm_up=WarmUp(first_call=2 * behaviour, settle=3, seconds=behaviour))

    def _measure(self, request: Measure) -> Reply:
        taken: list[Taken] = []
        words: list[str] = []
        for step in request.steps:
            words.append(step.name or "metronome")
            behaviour = 1e-4 if step.name == METRONOME else self.launcher.script(step.name, step.phase)
            if not isinstance(behaviour, float):
                self.launcher.transcript.append(f"measure {' '.join(words)}")
                if isinstance(behaviour, WorkerDied):
                    raise behaviour
                return Reply(name=step.name, failure=behaviour, taken=tuple(taken))
            taken.append(_taken(step, behaviour * (1 + self.extra.get(step.name, 0.0))))
        self.launcher.transcript.append(f"measure {' '.join(words)}")
        return Reply(taken=tuple(taken))


def _taken(step: Step, seconds: float) -> Taken:
    if step.name == METRONOME:
        return Taken(metronomes={"hash": seconds})
    return Taken(sample=Sample(seconds=seconds))


class ScriptedDevice:
    """A device whose clock is a script: every block is called, and takes what ``seconds()`` says."""

    kind = "cpu"
    torch_name = "cpu"

    def __init__(self, seconds: Callable[[], float] = lambda: 1e-3, free_bytes: int = 1 << 40) -> None:
        self._seconds, self._free_bytes = seconds, free_bytes
        self.transcript: list[str] = []

    def sample(self, block: Block, loops: int) -> Sample:
        self.transcript.append(f"sample of {loops}")
        block(loops)
        return Sample(seconds=self._seconds())

    def once(self, block: Block) -> float:
        self.transcript.append("once")
        block(1)
        return self._seconds()

    def metronomes(self) -> Mapping[str, float]:
        self.transcript.append("metronomes")
        return {"hash": 1e-4}

    def peak(self, call: Callable[[], object]) -> Mapping[str, float]:
        self.transcript.append("peak")
        call()
        return {"peak": 1024.0}

    def free_bytes(self) -> int:
        return self._free_bytes

    def ceilings(self) -> Mapping[str, float]:
        return {"bytes": 1e10, "flops": 1e11}

    def busy(self, seconds: float) -> None:
        self.transcript.append(f"busy for {seconds:g} s")


class Silent:
    """A progress that says nothing."""

    def start(self, groups: object, passes_expected: int) -> None: ...
    def process_done(self, pass_: int, group: str, seconds: float) -> None: ...
    def expect(self, seconds_left: float) -> None: ...
    def pass_done(self, pass_: int, precision_reached: object) -> None: ...
    def message(self, text: str) -> None: ...
