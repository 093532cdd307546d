from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
import torch.nn.functional as F

from bench.measure.operators import operators

INDEX = torch.tensor([0, 0, 1])


def test_operators_of_a_call_are_told_by_name() -> None:
    assert {"mm", "relu"} <= set(operators(lambda: torch.relu(torch.ones(2, 2) @ torch.ones(2, 2))))


def test_operators_of_a_gradient_are_seen_too() -> None:
    x = torch.ones(1, 1, 4, 4, requires_grad=True)
    call = lambda: torch.autograd.grad(F.interpolate(x, scale_factor=2, mode="bilinear").sum(), x)  # noqa: E731
    assert "upsample_bilinear2d_backward" in operators(call)


@pytest.mark.parametrize(
    ("call", "mark"),
    [
        (lambda: torch.zeros(2).index_put_((INDEX,), torch.ones(3), accumulate=True), "index_put accumulate"),
        (lambda: torch.zeros(2).index_put_((INDEX,), torch.ones(3)), "index_put overwrite"),
        (lambda: torch.ones(3).cumsum(0), "cumsum floating"),
        (lambda: torch.ones(3, 3).median(0), "median.dim"),
        (lambda: torch.zeros(2).scatter_reduce(0, INDEX, torch.ones(3), reduce="prod"), "scatter_reduce reduce=prod"),
        (lambda: torch.bmm(torch.eye(2)[None].to_sparse(), torch.ones(1, 2, 2)), "bmm sparse"),
    ],
)
def test_marks_tell_what_documentation_depends_on(call: Callable[[], object], mark: str) -> None:
    assert mark in operators(call)


def test_marks_that_do_not_apply_are_absent() -> None:
    assert "cumsum floating" not in operators(lambda: torch.ones(3, dtype=torch.int64).cumsum(0))
    assert "median.dim" not in operators(lambda: torch.ones(3).median())
