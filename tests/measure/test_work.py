from __future__ import annotations

import sys

import pytest
import torch
from torch import nn

from bench.measure.work import measure
from bench.suite import Subject

N, C_IN, C_OUT, HW, K = 2, 3, 8, 10, 3
CONV_FLOPS = 2 * N * C_OUT * HW * HW * C_IN * K * K


def conv(**fields: object) -> Subject:
    x = torch.randn(N, C_IN, HW, HW)
    return Subject(nn.Conv2d(C_IN, C_OUT, K, padding=1, bias=False), x, **fields)


def test_formula_and_both_counters_agree_on_a_convolution_without_bias() -> None:
    found = measure(conv(flops=CONV_FLOPS), ["forward"], 0)
    assert found["work/flops(formula)"] == found["work/flops(torch)"] == 2 * found["work/macs(thop)"] == CONV_FLOPS


def test_backward_of_a_convolution_is_two_of_its_size() -> None:
    assert measure(conv(), ["forward", "backward"], 0)["work/flops(torch)/backward"] == 2 * CONV_FLOPS


def test_backward_is_counted_only_where_it_is_a_phase_and_autograd_s_own() -> None:
    assert "work/flops(torch)/backward" not in measure(conv(), ["forward", "inference"], 0)
    assert "work/flops(torch)/backward" not in measure(conv(backward=lambda out: out), ["forward", "backward"], 0)


def test_a_matrix_product_is_counted_and_a_function_has_no_macs() -> None:
    found = measure(Subject(torch.matmul, torch.randn(4, 5), torch.randn(5, 6)), ["forward"], 0)
    assert found == {"work/flops(torch)": 2 * 4 * 5 * 6}


def test_what_the_author_declares_is_taken_by_phase() -> None:
    subject = conv(flops={"forward": 10, "backward": 20}, bytes_moved=30)
    found = measure(subject, [], 0)
    assert found["work/flops(formula)"] == 10
    assert found["work/flops(formula)/backward"] == 20
    assert found["bytes_moved"] == 30


def test_a_counter_that_fails_is_a_warning_and_the_others_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "thop", None)
    with pytest.warns(UserWarning, match=r"no work/macs\(thop\): ModuleNotFoundError: .*thop"):
        found = measure(conv(), ["forward"], 0)
    assert found == {"work/flops(torch)": CONV_FLOPS}
