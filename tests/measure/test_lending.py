"""A case in the hands of another stopwatch: synchronised, and the process given back as it was."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch

from bench.discover import discover
from bench.measure.lending import Unmeasured, facts, lent, open_request
from bench.measure.messages import Open
from bench.suite import Settings
from bench.testing import ScriptedDevice

SUITE = '''
"""Does it wait?"""
import torch

from bench import Subject, benchmark

def hear(x):
    torch.HEARD.append("call")
    return x

def stumble(x):
    raise RuntimeError("out of memory")

@benchmark(variants={"one": hear, "two": stumble}, cpu={"n": [4]}, phases=["inference"])
def waits(call, n):
    torch.rand(n)
    return Subject(call, torch.ones(n))
'''


class GpuLike(ScriptedDevice):
    """Builds on the CPU, and says that it is a GPU."""

    kind = "cuda"

    def peak(self, call: object) -> dict[str, float]:
        return {"peak": 16.0, "nvml": 1e9, "rss": 1e9}


@pytest.fixture
def heard(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """What was called, in order."""
    transcript: list[str] = []
    monkeypatch.setattr(torch, "HEARD", transcript, raising=False)
    monkeypatch.setattr(torch.cuda, "synchronize", lambda device: transcript.append(f"wait for {device}"))
    return transcript


@pytest.fixture
def opened(tmp_path: Path) -> dict[str, Open]:
    """The request for each variant."""
    (tmp_path / "waits.py").write_text(SUITE.lstrip(), encoding="utf-8")
    (found,) = discover([str(tmp_path)])
    return {c.variant: open_request(found, c, 0) for c in found.benchmark.cases(found.suite, "cpu", "smoke")}


def test_a_call_on_a_gpu_ends_when_the_gpu_is_done(heard: list[str], opened: dict[str, Open]) -> None:
    with lent(opened["one"], "inference", GpuLike(), None) as call:
        heard.clear()
        call()
        call()
    assert heard == ["call", "wait for cpu"] * 2


def test_a_call_on_the_cpu_waits_for_nothing(heard: list[str], opened: dict[str, Open]) -> None:
    with lent(opened["one"], "inference", ScriptedDevice(), None) as call:
        heard.clear()
        call()
    assert heard == ["call"]


def test_random_numbers_go_on_as_if_nothing_had_been_measured(heard: list[str], opened: dict[str, Open]) -> None:
    before = torch.get_rng_state()
    with lent(opened["one"], "inference", ScriptedDevice(), None):
        assert not torch.equal(torch.get_rng_state(), before)
    assert torch.equal(torch.get_rng_state(), before)
    facts(opened["one"], ScriptedDevice())
    assert torch.equal(torch.get_rng_state(), before)


def test_what_breaks_says_how(heard: list[str], opened: dict[str, Open]) -> None:
    with (
        pytest.raises(Unmeasured, match="out of memory") as broken,
        lent(opened["two"], "inference", ScriptedDevice(), None),
    ):
        pass
    assert broken.value.failure.status == "oom"
    assert facts(opened["two"], ScriptedDevice()) == {}


def test_a_variable_that_torch_reads_at_import_comes_too_late(opened: dict[str, Open]) -> None:
    settings = Settings(environment={"OMP_NUM_THREADS": "1"})
    with (
        pytest.raises(Unmeasured, match="before torch is imported") as refused,
        lent(opened["one"], "inference", ScriptedDevice(), settings),
    ):
        pass
    assert refused.value.failure.status == "skipped"


def test_facts_of_the_whole_process_are_left_out(heard: list[str], opened: dict[str, Open]) -> None:
    found = facts(opened["one"], GpuLike())
    assert found["memory/peak/inference"] == 16.0
    assert not {name for name in found if name.startswith(("memory/rss", "memory/nvml"))}
