"""The eight operations under pyperf."""

import pyperf
import torch
from _ops import NAMES, operation

torch.set_grad_enabled(False)
runner = pyperf.Runner()
for name in NAMES:
    runner.bench_func(name, operation(name))
