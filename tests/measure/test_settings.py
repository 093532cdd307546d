from __future__ import annotations

import dataclasses
import multiprocessing
import os
from collections.abc import Iterator
from typing import Any

import pytest
import torch

from bench.measure.settings import apply, keep_to_core
from bench.suite import Settings


def current() -> dict[str, Any]:
    """Every switch as the process has it, under the name that Settings gives it."""
    return {
        "cudnn_benchmark": torch.backends.cudnn.benchmark,
        "cudnn_deterministic": torch.backends.cudnn.deterministic,
        "cudnn_allow_tf32": torch.backends.cudnn.allow_tf32,
        "deterministic_algorithms": torch.are_deterministic_algorithms_enabled(),
        "fill_uninitialized_memory": torch.utils.deterministic.fill_uninitialized_memory,
        "matmul_precision": torch.get_float32_matmul_precision(),
        "mkldnn": torch.backends.mkldnn.enabled,
        "mkldnn_deterministic": torch.backends.mkldnn.deterministic,
        "threads": torch.get_num_threads(),
    }


@pytest.fixture(autouse=True)
def switches() -> Iterator[dict[str, Any]]:
    before = current()
    yield before
    apply(Settings(**before))
    assert current() == before


def test_settings_without_values_change_nothing(switches: dict[str, Any]) -> None:
    apply(Settings(environment={"A": "1"}))
    assert current() == switches


@pytest.mark.parametrize("name", [f.name for f in dataclasses.fields(Settings) if f.name != "environment"])
def test_each_switch_changes_itself_and_nothing_else(switches: dict[str, Any], name: str) -> None:
    before = switches[name]
    wanted = {str: "medium", int: 3}.get(type(before), not before)
    apply(Settings(**{name: wanted}))
    assert current() == {**switches, name: wanted}


def test_deterministic_algorithms_may_only_warn() -> None:
    apply(Settings(deterministic_algorithms="warn"))
    assert torch.are_deterministic_algorithms_enabled()
    assert torch.is_deterministic_algorithms_warn_only_enabled()


def kept(threads: int, turn: int) -> tuple[set[int], set[int]]:
    torch.set_num_threads(threads)
    before = os.sched_getaffinity(0)
    keep_to_core(turn)
    return before, os.sched_getaffinity(0)


@pytest.mark.skipif(not hasattr(os, "sched_setaffinity"), reason="cores cannot be chosen here")
def test_a_process_of_one_thread_keeps_to_the_core_of_its_turn_and_others_go_where_they_like() -> None:
    with multiprocessing.get_context("spawn").Pool(1, maxtasksperchild=1) as fresh:  # its affinity ends with it
        for turn in range(3):
            before, after = fresh.apply(kept, (1, turn))
            assert after == {sorted(before)[turn % len(before)]}
        before, after = fresh.apply(kept, (2, 0))
        assert after == before
