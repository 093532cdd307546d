"""One run at a time on a device: two would measure each other."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import re
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import IO

from bench.errors import BenchError
from bench.measure.nvml import visible_entry

try:
    import fcntl
except ImportError:  # Windows has no flock; runs there are not kept apart
    fcntl = None  # type: ignore[assignment]


@contextlib.contextmanager
def hold(device: str, wait_seconds: float, say: Callable[[str], None]) -> Iterator[None]:
    """Hold the device while the block runs.  Raises BenchError naming the holder when it stays taken."""
    if fcntl is None:
        yield
        return
    path = Path(tempfile.gettempdir()) / f"torch-bench-harness-{_name(device)}.lock"
    with _open(path) as file:
        _acquire(file, device, wait_seconds, say)
        file.seek(0)
        file.truncate()
        file.write(json.dumps({"pid": os.getpid(), "user": _user(), "since": time.strftime("%H:%M:%S")}))
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def _name(device: str) -> str:
    """``cuda:0`` is another GPU wherever CUDA_VISIBLE_DEVICES shows another one."""
    kind, _, index = device.partition(":")
    entry = visible_entry(os.environ.get("CUDA_VISIBLE_DEVICES"), int(index)) if index else ""
    return re.sub(r"[^\w-]", "-", f"{kind}-{entry}" if entry else device)


def _open(path: Path) -> IO[str]:
    try:
        return os.fdopen(_descriptor(path), "r+", encoding="utf-8")
    except OSError as error:
        raise BenchError(f"cannot open the lock {path}: {error.strerror}; set TMPDIR to a folder you own") from None


def _descriptor(path: Path) -> int:
    """Another user's file opens only without O_CREAT in a folder like /tmp (fs.protected_regular in proc(5))."""
    try:
        return os.open(path, os.O_RDWR)
    except FileNotFoundError:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
        os.chmod(path, 0o666)  # whatever the umask
        return descriptor


def _acquire(file: IO[str], device: str, wait_seconds: float, say: Callable[[str], None]) -> None:
    deadline, told = time.monotonic() + wait_seconds, False
    while True:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return
        except OSError:
            holder = _holder(file)
        if time.monotonic() >= deadline:
            raise BenchError(f"{device} is being measured by {holder}; wait for it, or add --wait 600s")
        if not told:
            say(f"waiting for {device}, which is being measured by {holder}")
            told = True
        time.sleep(0.2)


def _holder(file: IO[str]) -> str:
    file.seek(0)
    try:
        data = json.loads(file.read())
        return f"process {data['pid']} of {data['user']} since {data['since']}"
    except (ValueError, KeyError, TypeError):
        return "another process"


def _user() -> str:
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return str(os.getuid())
