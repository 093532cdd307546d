from __future__ import annotations

import hashlib
import itertools
import mmap
import os
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from bench.measure import cpu
from bench.measure.cpu import Cpu
from bench.measure.device import Block

linux = pytest.mark.skipif(sys.platform != "linux", reason="the kernel's counters are Linux's")

Counters = tuple[int, int, int, int]
MS = 1_000_000


@pytest.fixture
def scripted(monkeypatch: pytest.MonkeyPatch) -> Callable[..., Cpu]:
    """A Cpu whose clock and counters read what they are told: before a block and after it."""

    def make(nanoseconds: int, before: Counters, after: Counters) -> Cpu:
        device = Cpu()
        clock, counters = itertools.cycle((0, nanoseconds)), itertools.cycle((before, after))
        monkeypatch.setattr(time, "perf_counter_ns", lambda: next(clock))
        monkeypatch.setattr(Cpu, "_counters", lambda self: next(counters))
        return device

    return make


def test_a_sample_is_seconds_per_call(scripted: Callable[..., Cpu]) -> None:
    asked: list[int] = []
    sample = scripted(2 * MS, (0, 0, 0, 0), (0, 0, 0, 0)).sample(asked.append, 8)
    assert asked == [8]
    assert sample.seconds == pytest.approx(0.25e-3)
    assert sample.flags == ()


@pytest.mark.parametrize(
    ("after", "flags"),
    [
        ((5, 100, 0, 7), ()),
        ((6, 100, MS, 7), ("preempted",)),
        ((6, 100, MS // 100, 7), ()),  # it waited for less than 1 % of the sample
        ((5, 100, MS, 7), ()),  # it waited, but had gone to sleep by itself
        ((5, 1100, 0, 7), ("page_faults",)),
        ((5, 110, 0, 7), ()),  # 16 us of 2 ms
        ((5, 100, 0, 8), ("stolen",)),
        ((9, 1100, MS, 8), ("preempted", "page_faults", "stolen")),
    ],
)
def test_a_sample_is_flagged_by_what_the_kernel_counted_if_it_matters(
    scripted: Callable[..., Cpu], after: Counters, flags: tuple[str, ...]
) -> None:
    assert scripted(2 * MS, (5, 100, 0, 7), after).sample(lambda loops: None, 1).flags == flags


def test_once_is_the_whole_time_of_one_call(scripted: Callable[..., Cpu]) -> None:
    asked: list[int] = []
    assert scripted(3 * MS, (0, 0, 0, 0), (0, 0, 0, 0)).once(asked.append) == pytest.approx(3e-3)
    assert asked == [1]


def mostly(flag: str, block: Block, times: int = 9) -> bool:
    """Whether more than half of some samples carry a flag: other programs may disturb one or two."""
    device = Cpu()
    block(1)
    return sum(flag in device.sample(block, 1).flags for _ in range(times)) > times / 2


def touch_fresh_pages(loops: int) -> None:
    with mmap.mmap(-1, 8 << 20) as pages:
        for offset in range(0, len(pages), 4096):
            pages[offset] = 1


def compute(loops: int) -> None:
    sum(i * i for i in range(20_000))


@linux
def test_fresh_pages_in_a_call_are_seen_by_the_real_kernel() -> None:
    assert mostly("page_faults", touch_fresh_pages)


@linux
def test_a_block_that_only_computes_has_no_page_faults() -> None:
    assert not mostly("page_faults", compute)


def spin(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        pass


@pytest.fixture
def crowded_core() -> Iterator[None]:
    """This process and another one that computes, on one core."""
    cores = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {min(cores)})
    try:
        with subprocess.Popen([sys.executable, "-c", "while True: pass"]) as other:
            try:
                yield
            finally:
                other.kill()
    finally:
        os.sched_setaffinity(0, cores)


@pytest.mark.skipif(not Path("/proc/thread-self/schedstat").exists(), reason="this kernel does not tell who waited")
@pytest.mark.usefixtures("crowded_core")
def test_another_program_on_the_same_core_is_seen_by_the_real_kernel() -> None:
    assert mostly("preempted", lambda loops: spin(0.05))


def test_metronomes_are_three_positive_times() -> None:
    found = Cpu().metronomes()
    assert list(found) == ["hash", "copy", "python"]
    assert all(0 < seconds < 1 for seconds in found.values())


def test_without_the_kernel_s_files_there_are_fewer_flags_and_no_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "_open", lambda path: 0)
    monkeypatch.setattr(cpu, "resource", None)
    sample = Cpu().sample(touch_fresh_pages, 1)
    assert sample.seconds > 0
    assert sample.flags == ()


def test_where_waiting_is_not_told_every_switch_counts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "_open", lambda path: 0)
    device = Cpu()
    before, after = (type("Usage", (), {"ru_nivcsw": n, "ru_minflt": 0, "ru_majflt": 0}) for n in (3, 4))
    usages = iter((before, after))
    monkeypatch.setattr(cpu, "resource", type("resource", (), {"RUSAGE_SELF": 0, "getrusage": lambda _: next(usages)}))
    assert device.sample(compute, 1).flags == ("preempted",)


def test_being_busy_hashes_as_many_chunks_as_took_so_long(monkeypatch: pytest.MonkeyPatch) -> None:
    device, hashed = Cpu(), []
    chunk_seconds = device._chunk_seconds
    monkeypatch.setattr(cpu.hashlib, "sha256", lambda chunk: hashed.append(chunk) or hashlib.sha1(chunk))
    device.busy(12 * chunk_seconds)
    assert len(hashed) == 12
    device.busy(0.0)
    assert len(hashed) == 12


def test_a_call_that_allocates_nothing_has_no_peak() -> None:
    assert Cpu().peak(lambda: None)["peak"] == 0


def test_free_memory_is_what_machine_and_container_leave(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "_CGROUP", tmp_path)
    whole = Cpu().free_bytes()
    assert whole > 0
    files = {"memory.max": 5 << 20, "memory.current": 4 << 20, "memory.stat": f"anon 7\ninactive_file {1 << 20}"}
    for name, value in files.items():
        (tmp_path / name).write_text(f"{value}\n")
    assert Cpu().free_bytes() == 2 << 20  # the page cache is given back when asked for
    (tmp_path / "memory.max").write_text("max\n")
    assert Cpu().free_bytes() > 1 << 25


def test_a_container_of_cgroup_version_1_is_understood(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(cpu, "_CGROUP", tmp_path)
    (tmp_path / "memory").mkdir()
    files = {"limit_in_bytes": 3000, "usage_in_bytes": 1000, "stat": "inactive_file 5\ntotal_inactive_file 10"}
    for name, value in files.items():
        (tmp_path / "memory" / f"memory.{name}").write_text(f"{value}\n")
    assert Cpu().free_bytes() == 2010


def test_ceilings_are_rates_and_not_times() -> None:
    found = Cpu().ceilings()
    assert found["bytes"] > 1e8
    assert found["flops"] > 1e8
