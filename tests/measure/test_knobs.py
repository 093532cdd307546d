from __future__ import annotations

import pytest

from bench.measure.knobs import DEFAULT, cells
from bench.measure.settings import apply
from bench.measure.state import untouched
from bench.suite import Settings, Subject


@pytest.mark.parametrize("kind", ["cpu", "cuda"])
def test_names_are_different_and_the_default_comes_first(kind: str) -> None:
    matrix = cells(kind)
    assert matrix[0] == DEFAULT
    assert len({cell.name for cell in matrix}) == len(matrix)
    assert [cell.name for cell in matrix if cell.is_default] == ["default"]


@pytest.mark.parametrize("kind", ["cpu", "cuda"])
def test_determinism_is_warned_of_and_asked_for_with_and_without_filling_memory(kind: str) -> None:
    modes = {
        (cell.settings.deterministic_algorithms, cell.settings.fill_uninitialized_memory)
        for cell in cells(kind)
        if cell.settings.deterministic_algorithms is not None
    }
    assert modes == {("warn", False), (True, False), (True, True)}


def test_deterministic_cells_of_cuda_have_the_workspace_that_pytorch_asks_for() -> None:
    asking = [cell.settings for cell in cells("cuda") if cell.settings.deterministic_algorithms]
    assert all(settings.environment["CUBLAS_WORKSPACE_CONFIG"] == ":4096:8" for settings in asking)


def test_the_switches_of_cudnn_are_turned_alone_and_together() -> None:
    turned = {(c.settings.cudnn_benchmark, c.settings.cudnn_deterministic) for c in cells("cuda")}
    assert {(True, None), (None, True), (True, True)} <= turned


def test_where_bits_must_agree_no_switch_is_turned() -> None:
    for cell in (*cells("cpu"), *cells("cuda")):
        if cell.must_agree:
            assert Settings(environment=cell.settings.environment) == cell.settings


@pytest.mark.parametrize("cell", [cell for cell in cells("cpu") if not cell.is_default], ids=lambda cell: cell.name)
def test_every_switch_of_the_cpu_can_be_turned_here(cell: object) -> None:
    with untouched(Subject(print)):
        apply(cell.settings)  # type: ignore[attr-defined]
