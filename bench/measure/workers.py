"""The runner's side of workers: start them, ask them, and say how they died."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO, Protocol, cast

from bench.errors import BenchError
from bench.measure.messages import Reply, Request, receive_reply, send
from bench.measure.nvml import RUNNER
from bench.measure.server import FORK, READY, WAIT
from bench.model import Status

# glibc moves blocks between mmap and heap by size and history, and each move costs page faults: the standard deviation
# of one convolution between processes fell from 26 % to 0.8 % with these.
STEADY = {
    "MALLOC_MMAP_THRESHOLD_": "2000000000",
    "MALLOC_TRIM_THRESHOLD_": "2000000000",
    # glibc's own: with more, memory that small calls free comes back only when all of it was used once, and an addition
    # of 64 numbers had a page fault every ten calls, 12 % of its time.
    "MALLOC_TOP_PAD_": "131072",
    "OPENBLAS_NUM_THREADS": "1",  # NumPy's pool would start at import, before the fork
    "PYTORCH_NVML_BASED_CUDA_CHECK": "1",  # no CUDA context before the fork
    "KINETO_LOG_LEVEL": "5",
    # Workers inherit the addresses and the hashes of their server, so that a whole run shares one draw of them, which
    # no number of processes averages out: two servers of the same code differed by 2 % on bmm, by 3 % on a copy.
    "BENCH_FIXED_ADDRESSES": "1",
    "PYTHONHASHSEED": "0",
    # How long OpenMP's threads spin before they sleep: well beyond the gap between two calls, so that within a block
    # nothing changes, but not into the turn of another worker or of the metronomes.  On 2 cores, oneDNN off against on
    # (a convolution of 16 channels, backward): +21 to +31 % within one process, +14 % with this, -4 % with workers
    # that never spin, between -5 and +32 % with libgomp's default of 300,000.
    "GOMP_SPINCOUNT": "30000",
    "KMP_BLOCKTIME": "1",  # milliseconds, for builds with Intel's or LLVM's OpenMP
}
_SERVER = str(Path(__file__).with_name("server.py"))
CAN_FORK = sys.platform == "linux"
_ENVIRONMENT_BYTES = 1 << 15
_VARIABLES = 256


def of_one_size(command: Sequence[str], environment: Mapping[str, str]) -> dict[str, str]:
    """The environment with what makes it as many variables, and it and the command as many bytes, as everybody's.

    They lie above the stack and move it, and a moved stack is another program: Mytkowicz et al., "Producing Wrong Data
    Without Doing Anything Obviously Wrong!", ASPLOS 2009.  Python keeps objects for each variable (for an empty text
    none), whatever its length: one variable more made a hundred additions 0.7 to 2.5 % faster in ten runs of ten.
    """
    missing = -(len(environment) + 1) % _VARIABLES
    padded = {**environment, "BENCH_PADDING": "", **{f"BENCH_PADDING_{n}": ".." for n in range(missing)}}
    pointers = 8 * len(padded)
    strings = sum(len(os.fsencode(f"{key}={value}")) + 1 for key, value in padded.items())
    told = sum(len(os.fsencode(text)) + 1 for text in (*command, command[0]))  # at last the file that is executed
    return {**padded, "BENCH_PADDING": "." * (-(pointers + strings + told) % _ENVIRONMENT_BYTES)}


class WorkerDied(Exception):  # noqa: N818  an event of measuring, not a mistake
    """A worker ended while it was asked: by a signal, by the time limit, or by leaving."""

    def __init__(self, status: Status, reason: str) -> None:
        super().__init__(reason)
        self.status, self.reason = status, reason


class Worker(Protocol):
    """Something that answers requests: a process, or the scripted worker of ``bench.testing``."""

    def ask(self, request: Request, *, limit_seconds: float = 600.0) -> Reply:
        """The reply.  Raises WorkerDied."""

    def let_go(self) -> None:
        """Begin to end; it may take a while."""

    def close(self) -> None:
        """End, and be gone."""


class Launcher(Protocol):
    """Where workers come from."""

    def launch(self, *, environment: Mapping[str, str]) -> Worker:
        """A fresh worker; ``environment`` is set before it imports torch."""

    def close(self) -> None:
        """End everything that was started."""


class ProcessWorker:
    """A worker process behind two byte streams."""

    def __init__(self, requests: BinaryIO, replies: BinaryIO, pid: int, wait: Callable[[int], int]) -> None:
        self._requests, self._replies = requests, replies
        self.pid, self._wait = pid, wait
        self._ended: int | None = None
        self._timed_out = False

    def ask(self, request: Request, *, limit_seconds: float = 600.0) -> Reply:
        alarm = threading.Timer(limit_seconds, self._give_up)
        alarm.daemon = True
        alarm.start()
        try:
            send(self._requests, request)
            reply = receive_reply(self._replies)
        except OSError:
            reply = None
        finally:
            alarm.cancel()
        if reply is None:
            raise self._death(limit_seconds)
        return reply

    def _give_up(self) -> None:
        self._timed_out = True
        self._kill()

    def _kill(self) -> None:
        """End the worker and what it started, which would else keep its stream open."""
        if self._ended is not None:
            return  # the number may be another process's by now
        with contextlib.suppress(ProcessLookupError, PermissionError):
            if hasattr(os, "killpg"):
                os.killpg(self.pid, signal.SIGKILL)
            else:  # Windows
                os.kill(self.pid, signal.SIGTERM)

    def _death(self, limit_seconds: float) -> WorkerDied:
        if self._timed_out:
            return WorkerDied("timeout", f"no answer within {limit_seconds:g} s")
        code = self._exit_code()
        if code == -9:
            return WorkerDied("oom", "the process was killed (signal 9), most often by the kernel for lack of memory")
        if code < 0:
            return WorkerDied("failed", f"the process crashed: {signal.Signals(-code).name}")
        return WorkerDied("failed", f"the process left with status {code}")

    def _exit_code(self) -> int:
        """How it ended; asked once, because a number is reaped with its process."""
        if self._ended is None:
            self._ended = self._wait(self.pid)
        return self._ended

    def let_go(self) -> None:
        """Begin to end: it has nothing to save, so it is killed; the kernel then takes its memory back."""
        for stream in (self._requests, self._replies):
            with contextlib.suppress(OSError, ValueError):
                stream.close()
        self._kill()

    def close(self) -> None:
        self.let_go()
        with contextlib.suppress(OSError, ValueError):
            self._exit_code()


class _Server:
    """One Python with torch imported, from which workers are forked."""

    def __init__(self, python: str, environment: Mapping[str, str], log: BinaryIO) -> None:
        ours, theirs = socket.socketpair()
        with theirs:
            command = [python, _SERVER, "fork"]
            self._process = subprocess.Popen(
                command,
                env=of_one_size(command, {**os.environ, **environment}),
                stdin=theirs.fileno(),
                stdout=log,
                stderr=log,
            )
        self._python, self._log, self._control = python, log, ours
        self._lines = ours.makefile("rb")
        self.ready = False

    def fork(self) -> ProcessWorker:
        """A fresh worker.  Raises BenchError when the server could not start."""
        self._await_ready()
        ours, theirs = socket.socketpair()
        with ours, theirs:
            try:
                socket.send_fds(self._control, [FORK], [theirs.fileno()])
                pid = int(self._lines.readline())
            except (OSError, ValueError):
                raise BenchError("could not fork a worker: is memory left, and a process (`ulimit -u`)?") from None
            stream = cast(BinaryIO, ours.makefile("rwb"))
        return ProcessWorker(stream, stream, pid, self.wait)

    def _await_ready(self) -> None:
        if not self.ready and self._lines.readline() != READY:
            self._process.wait(timeout=5)
            self._log.seek(0)
            said = self._log.read().decode(errors="replace").strip().rpartition("\n")[2] or "it said nothing"
            raise BenchError(f"{self._python} could not start a worker: {said}")
        self.ready = True

    def wait(self, pid: int) -> int:
        """The exit code of a worker that ended; negative for a signal."""
        with contextlib.suppress(OSError):
            self._control.sendall(WAIT + b"%d" % pid)
        return int(self._lines.readline() or b"1")

    def close(self) -> None:
        self._lines.close()
        self._control.close()
        if self.ready:  # it ends its workers; before, it has none, and hears nothing
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(timeout=5)
        self._process.kill()
        self._process.wait()


class Processes:
    """Launcher of real workers: forked from one server per environment, or spawned where there is no fork.

    ``python``: whose; an environment other than this one needs only torch and NumPy.  ``meanwhile``: done before
    waiting for a server to be ready.
    """

    def __init__(self, python: str = sys.executable, meanwhile: Callable[[], object] = lambda: None) -> None:
        self._python, self._meanwhile = python, meanwhile
        self._servers: dict[tuple[tuple[str, str], ...], _Server] = {}
        self._log = tempfile.TemporaryFile(prefix="bench-workers-")  # noqa: SIM115  closed by close()

    def prepare(self, environment: Mapping[str, str]) -> None:
        """Start what workers are forked from: it imports torch while the caller does something else."""
        if CAN_FORK:
            self._server(self._full(environment))

    def launch(self, *, environment: Mapping[str, str] | None = None) -> ProcessWorker:
        full = self._full(environment or {})
        if not CAN_FORK:
            return self._spawn(full)
        server = self._server(full)
        if not server.ready:
            self._meanwhile()
        return server.fork()

    def _full(self, environment: Mapping[str, str]) -> dict[str, str]:
        own = {name: os.environ[name] for name in ("PYTHONHASHSEED",) if name in os.environ}
        runner = f"{os.getpid():010d}"  # of one length, so that nothing behind it moves
        return {**STEADY, **own, **environment, RUNNER: runner}

    def _server(self, environment: Mapping[str, str]) -> _Server:
        key = tuple(sorted(environment.items()))
        if key not in self._servers:
            self._servers[key] = _Server(self._python, environment, cast(BinaryIO, self._log))
        return self._servers[key]

    def _spawn(self, environment: Mapping[str, str]) -> ProcessWorker:
        command = [self._python, _SERVER]
        process = subprocess.Popen(
            command,
            env=of_one_size(command, {**os.environ, **environment}),
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._log,
            start_new_session=True,
        )
        requests, replies = cast(BinaryIO, process.stdin), cast(BinaryIO, process.stdout)
        return ProcessWorker(requests, replies, process.pid, lambda _: process.wait())

    def said(self) -> str:
        """What workers wrote to standard output and error (a crash's last words)."""
        self._log.seek(0)
        return self._log.read().decode(errors="replace")

    def close(self) -> None:
        for server in self._servers.values():
            server.close()
        self._log.close()


@contextlib.contextmanager
def prepared(
    python: str = sys.executable,
    environment: Mapping[str, str] | None = None,
    meanwhile: Callable[[], object] = lambda: None,
) -> Iterator[Processes]:
    """Where workers come from: a Python that imports torch while this one does, reads suites and does ``meanwhile``."""
    with contextlib.closing(Processes(python, meanwhile)) as launcher:
        launcher.prepare(environment or {})
        yield launcher


def find_python(python: str, option: str) -> str:
    """The path of a Python that the user named.  Raises BenchError naming the option."""
    found = shutil.which(python)
    if found is None:
        raise BenchError(
            f"{option} {python}: no such Python; name the one of an environment, as in /opt/torch210/bin/python"
        )
    return found
