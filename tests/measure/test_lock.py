from __future__ import annotations

import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from bench.errors import BenchError
from bench.measure.lock import hold

pytest.importorskip("fcntl", reason="Windows does not keep runs apart")

HOLDER = """
import sys
from bench.measure.lock import hold
with hold("cpu", 0, print):
    print("held", flush=True)
    sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    return tmp_path


@contextlib.contextmanager
def another_process() -> Iterator[subprocess.Popen[str]]:
    """A process that holds the CPU until it is killed or its standard input ends."""
    pipe = subprocess.PIPE
    with subprocess.Popen([sys.executable, "-c", HOLDER], stdin=pipe, stdout=pipe, text=True) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "held\n"
        try:
            yield process
        finally:
            process.kill()


def refusal(device: str = "cpu", wait_seconds: float = 0) -> str:
    with pytest.raises(BenchError) as error, hold(device, wait_seconds, lambda text: None):
        pass
    return str(error.value)


def test_a_second_run_is_refused_and_told_who_holds_the_device() -> None:
    with another_process() as holder:
        text = refusal()
    assert text.startswith(f"cpu is being measured by process {holder.pid} of ")
    assert text.endswith("add --wait 600s")


def test_the_lock_is_free_after_its_block_and_after_an_exception() -> None:
    with contextlib.suppress(KeyError), hold("cpu", 0, print):
        assert "process" in refusal()
        raise KeyError
    with hold("cpu", 0, print):
        pass


def test_the_lock_is_free_after_kill_9() -> None:
    with another_process() as holder:
        os.kill(holder.pid, signal.SIGKILL)
        holder.wait()
        with hold("cpu", 0, print):
            pass


def test_devices_are_held_apart() -> None:
    with hold("cuda:0", 0, print), hold("cuda:1", 0, print), hold("cpu", 0, print):
        assert "cuda:1 is being measured" in refusal("cuda:1")


def test_a_run_that_waits_says_so_once_and_goes_on_when_the_device_is_free(monkeypatch: pytest.MonkeyPatch) -> None:
    said: list[str] = []
    with another_process() as holder:
        naps: list[float] = []

        def nap(seconds: float) -> None:
            naps.append(seconds)
            if len(naps) == 3:
                holder.kill()
                holder.wait()

        monkeypatch.setattr(time, "sleep", nap)
        with hold("cpu", 600, said.append):
            assert len(naps) == 3
    assert len(said) == 1
    assert f"being measured by process {holder.pid}" in said[0]


def test_a_run_that_has_waited_long_enough_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]
    monkeypatch.setattr(time, "monotonic", lambda: now[0])
    monkeypatch.setattr(time, "sleep", lambda seconds: now.__setitem__(0, now[0] + seconds))
    with hold("cpu", 0, print):
        assert "is being measured" in refusal(wait_seconds=1.0)
    assert now[0] == pytest.approx(1.0, abs=0.25)


def test_a_gpu_is_held_by_the_name_that_the_environment_gives_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "3")
    with hold("cuda:0", 0, print):
        monkeypatch.setenv("CUDA_VISIBLE_DEVICES", "GPU-aa/bb,3")
        with (
            hold("cuda:0", 0, print),
            pytest.raises(BenchError, match="cuda:1 is being measured"),
            hold("cuda:1", 0, print),
        ):
            pass


def test_a_holder_that_has_not_yet_written_its_name_is_another_process(folder: Path) -> None:
    with hold("cpu", 0, print):
        (folder / "torch-bench-harness-cpu.lock").write_text("")
        assert "being measured by another process" in refusal()


def test_another_user_s_lock_is_opened_as_a_sticky_folder_allows(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """With fs.protected_regular the kernel refuses O_CREAT on a file of somebody else's in /tmp."""
    (folder / "torch-bench-harness-cpu.lock").touch()
    real = os.open

    def guarded(path: str, flags: int, mode: int = 0o777) -> int:
        if flags & os.O_CREAT:
            raise PermissionError(13, "Permission denied")
        return real(path, flags, mode)

    monkeypatch.setattr(os, "open", guarded)
    with hold("cpu", 0, print):
        pass


def test_a_lock_is_open_to_all_users_whatever_the_umask(folder: Path) -> None:
    before = os.umask(0o077)
    try:
        with hold("cpu", 0, print):
            pass
    finally:
        os.umask(before)
    assert (folder / "torch-bench-harness-cpu.lock").stat().st_mode & 0o777 == 0o666


def test_a_lock_that_cannot_be_made_is_one_line_with_a_way_out(folder: Path) -> None:
    (folder / "torch-bench-harness-cpu.lock").mkdir()
    text = refusal()
    assert "\n" not in text
    assert text.endswith("Is a directory; set TMPDIR to a folder you own")
