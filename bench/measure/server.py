"""A fork server: one process that has imported torch, so that a fresh worker costs milliseconds instead of seconds.

It imports, and does nothing else: no op, no thread pool, no CUDA context before the fork.  The runner passes one end
of a socket pair; the server forks; the child answers on it.  Where there is no fork (Windows) or forking after
importing is unsafe (macOS), ``main`` is started once per worker instead and answers on its standard streams.
"""

from __future__ import annotations

import contextlib
import ctypes
import gc
import importlib.util
import os
import signal
import socket
import sys
from pathlib import Path
from typing import BinaryIO, cast

READY, FORK, WAIT = b"ready\n", b"f", b"w"
_NO_RANDOM_ADDRESSES = 0x0040000  # ADDR_NO_RANDOMIZE of personality(2)


def serve_forks(control: socket.socket) -> None:
    """Fork a worker for each descriptor that arrives on ``control``; tell how a worker ended when asked.

    Each worker leads a process group of its own, so that what it started ends with it.
    """
    gc.disable()  # while importing it only takes time, a quarter of all
    _import_what_workers_need()
    _search_here()
    gc.freeze()  # a worker's collector need not walk what was imported (150 ms), nor copy its pages
    gc.enable()
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the runner's to handle
    workers: set[int] = set()
    control.sendall(READY)
    while True:
        message, descriptors, _, _ = socket.recv_fds(control, 64, 1)
        if not message:
            break
        if message.startswith(FORK):
            pid = os.fork()
            if not pid:
                control.close()
                _work_on(descriptors[0])
            os.close(descriptors[0])
            os.setpgid(pid, pid)
            workers.add(pid)
            control.sendall(b"%d\n" % pid)
        else:
            pid, status = os.waitpid(int(message[1:]), 0)
            _end(pid)
            workers.remove(pid)
            control.sendall(b"%d\n" % os.waitstatus_to_exitcode(status))
    for pid in workers:  # the runner has gone, perhaps by kill -9: a hanging call must not go on for ever
        _end(pid)
    os._exit(0)  # nothing to save; Python would take its time to let go of torch


def _end(group: int) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, signal.SIGKILL)


def _import_what_workers_need() -> None:
    """Everything torch would import at a first call, so that no worker pays for it: imports only, never an op.

    The first backward imports symbolic_shapes (0.25 s), the first FLOP count torch._dynamo (0.6 s).
    """
    import torch
    import torch._dynamo
    import torch.fx.experimental.symbolic_shapes

    import bench.measure.cpu
    import bench.measure.worker  # noqa: F401
    from bench.measure import work

    work.preload()
    torch.manual_seed(0)  # no op: the first one reads source files for the traceback that CUDA may need (2 ms)


def _work_on(descriptor: int) -> None:
    """The life of a forked worker."""
    from bench.measure.worker import serve

    with socket.socket(fileno=descriptor) as connection, connection.makefile("rwb") as stream:
        try:
            serve(cast(BinaryIO, stream), cast(BinaryIO, stream))
        except (BrokenPipeError, ConnectionResetError):
            pass
        except BaseException:
            sys.excepthook(*sys.exc_info())
            os._exit(1)
    # Not sys.exit: the server's own clean-up must not run here.
    sys.stderr.flush()
    os._exit(0)


def serve_streams() -> None:
    """The life of a spawned worker: requests on standard input, replies on standard output.

    What the suite prints goes to standard error, so that it cannot spoil the replies.
    """
    from bench.measure.worker import serve

    _search_here()
    replies = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    serve(sys.stdin.buffer, replies)


def _search_here() -> None:
    """Let suites import what lies beside them in the folder that the user is in, as with ``python -m``."""
    sys.path.insert(0, os.getcwd())


def fix_addresses() -> None:
    """Start this Python again at addresses that are the same every time, where that is allowed."""
    if sys.platform != "linux" or not os.environ.get("BENCH_FIXED_ADDRESSES"):
        return
    personality = ctypes.CDLL(None).personality
    now = personality(0xFFFFFFFF)
    if now >= 0 and not now & _NO_RANDOM_ADDRESSES and personality(now | _NO_RANDOM_ADDRESSES) >= 0:
        os.execv(sys.executable, sys.orig_argv)


def find_this_package() -> None:
    """Make ``bench`` importable from where this file lies, and nothing else that lies there.

    No folder that may change meanwhile is searched while workers' modules are imported, and none whose name differs
    from server to server: where Python lists a folder once more, or sorts names by another hash, all that is allocated
    afterwards lies elsewhere, and for as long as that server lives an addition takes one percent more or less.
    """
    here = Path(__file__).resolve().parent
    package = here.parent
    sys.path[:] = [place for place in sys.path if place and Path(place).resolve() != here]
    spec = importlib.util.spec_from_file_location(
        "bench", package / "__init__.py", submodule_search_locations=[str(package)]
    )
    assert spec is not None
    assert spec.loader is not None
    sys.modules["bench"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(sys.modules["bench"])


def main() -> None:
    """``python server.py [fork]``: a fork server on the socket at standard input, or one spawned worker.

    No descriptor is told as an argument: where the arguments of two servers differ, so do their addresses.
    """
    fix_addresses()
    find_this_package()
    if len(sys.argv) > 1:
        with socket.socket(fileno=os.dup(0)) as control, open(os.devnull) as nothing:
            os.dup2(nothing.fileno(), 0)
            serve_forks(control)
    else:
        serve_streams()


if __name__ == "__main__":
    main()
