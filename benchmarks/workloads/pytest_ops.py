"""The eight operations under pytest-benchmark, with its defaults."""

import pytest
import torch
from _ops import NAMES, operation


@pytest.mark.parametrize("name", NAMES)
def test_op(benchmark, name):
    with torch.no_grad():
        benchmark(operation(name))
