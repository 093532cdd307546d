"""Everything a number depends on, as flat facts that do not move by themselves.

What each fact means to a comparison stands in ``bench.analysis.environment_facts``.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Any

import numpy
import torch as this_torch

from bench import __version__
from bench.measure import gpu, host, nvml
from bench.measure.reading import Reading, Unanswered
from bench.measure.stream import METRONOME_CYCLES
from bench.model import Environment

# Variables that change numbers: threads, libraries' choices, allocators.  Where things are installed does not.
_VARIABLES = re.compile(
    r"(OMP|KMP|GOMP|MKL|OPENBLAS|BLIS|DNNL|ONEDNN|MALLOC|CUBLAS|CUBLASLT|CUDNN|ATEN|PYTORCH|TORCH_ALLOW_TF32|TORCH_BLAS"
    r"|TORCH_CUDNN|TORCH_LINALG|TORCHINDUCTOR|CUDA_LAUNCH|CUDA_MODULE|CUDA_DEVICE_MAX|CUDA_FORCE|CUDA_DISABLE)_\w+"
    r"|NVIDIA_TF32_OVERRIDE|CUDA_AUTO_BOOST|GLIBC_TUNABLES|LD_PRELOAD|PYTHONHASHSEED|PYTHONDEVMODE|PYTHONOPTIMIZE"
)
_PLACES = re.compile(r".*_(VERSION|HOME|PATH|ROOT|DIR|CACHE|FILE|TOKEN|KEY|SECRET|PASSWORD)")


def collect(torch_name: str, *, torch: Any = this_torch, driver: nvml.Gpu | None = None) -> Environment:
    """The environment of this process measuring on ``torch_name``; no fact in it moves by itself.

    Runs inside a worker: affinity, threads and variables are this process's.
    """
    found = {**host.readings(host.FACTS), **_software(torch)}
    if torch_name.startswith("cuda"):
        found |= gpu.facts(torch, torch_name, driver or gpu.find(torch, torch_name))
        found["metronome"] = Reading(value=f"spin of {METRONOME_CYCLES} SM cycles")
    else:
        found |= {key: Reading(value=None, reason="measured on the CPU") for key in ("driver", "gpu", "gpu_uuid")}
    found["device"] = Reading(value=torch_name.partition(":")[0])
    found |= {f"env.{name}": Reading(value=text) for name, text in variables(os.environ).items()}
    return Environment(
        facts={key: reading.value for key, reading in found.items()},
        reasons={key: reading.reason for key, reading in found.items() if reading.reason},
    )


def variables(environ: Mapping[str, str]) -> dict[str, str]:
    """The environment variables that change numbers, sorted by name."""
    return {
        name: text
        for name, text in sorted(environ.items())
        if _VARIABLES.fullmatch(name) and not _PLACES.fullmatch(name)
    }


def _software(torch: Any) -> dict[str, Reading]:
    config = torch.__config__.show()
    questions = {
        "torch": lambda: str(torch.__version__),
        "torch_git": lambda: torch.version.git_version,
        "torch_arch_list": lambda: _present(" ".join(torch.cuda.get_arch_list()), "no CUDA device to build for"),
        "cuda": lambda: _present(torch.version.cuda, "this PyTorch is built without CUDA"),
        "cudnn": lambda: cudnn_version(torch.backends.cudnn.version()),
        "blas": lambda: _line(config, r"- (.*(?:Math Kernel Library Version \S+|OpenBLAS.*|BLAS version.*))"),
        "onednn": lambda: _line(config, r"MKL-DNN v(\S+)|oneDNN v(\S+)"),
        "openmp": lambda: _line(config, r"- OpenMP (\d+)"),
        "cpu_capability": torch.backends.cpu.get_cpu_capability,
        "threads": torch.get_num_threads,
        "interop_threads": torch.get_num_interop_threads,
        "allow_tf32": lambda: torch.backends.cudnn.allow_tf32,
        "matmul_precision": torch.get_float32_matmul_precision,
        "numpy": lambda: numpy.__version__,
        "harness": lambda: __version__,
    }
    return host.readings(questions)


def _present(value: str | None, otherwise: str) -> str:
    if not value:
        raise Unanswered(otherwise)
    return value


def _line(text: str, pattern: str) -> str:
    match = re.search(pattern, text)
    if match is None:
        raise Unanswered("this PyTorch is built without it, or does not say")
    return next(group for group in match.groups() if group)


def cudnn_version(number: int | None) -> str:
    """``91002`` -> ``9.10.2``; before cuDNN 9 the major stood before three digits (``8902`` -> ``8.9.2``)."""
    if number is None:
        raise Unanswered("this PyTorch has no cuDNN")
    major, rest = divmod(number, 10_000 if number >= 90_000 else 1_000)
    return f"{major}.{rest // 100}.{rest % 100}"
