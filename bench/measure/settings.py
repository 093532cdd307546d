"""Process-wide switches, in the words of ``Settings``.  A process that applied some is used for nothing else."""

from __future__ import annotations

import os

import torch

from bench.errors import BenchError
from bench.suite import Settings


def keep_to_core(turn: int) -> None:
    """Keep this process, if it computes with one thread, to one of the cores it may use: the ``turn``-th, cyclically.

    On different cores two workers have different neighbours: in a busy hour an addition took 1.3 us in one of them and
    2.1 us in the other through the whole process, and turns of milliseconds did not cancel it.
    """
    if torch.get_num_threads() == 1 and hasattr(os, "sched_setaffinity"):
        cores = sorted(os.sched_getaffinity(0))
        os.sched_setaffinity(0, {cores[turn % len(cores)]})


def apply(settings: Settings) -> None:
    """Set what is not None; ``environment`` was set before this process imported torch."""
    cudnn, mkldnn, deterministic = torch.backends.cudnn, torch.backends.mkldnn, settings.deterministic_algorithms
    if settings.cudnn_benchmark is not None:
        cudnn.benchmark = settings.cudnn_benchmark
    if settings.cudnn_deterministic is not None:
        cudnn.deterministic = settings.cudnn_deterministic
    if settings.cudnn_allow_tf32 is not None:
        cudnn.allow_tf32 = settings.cudnn_allow_tf32
    if deterministic is not None:
        torch.use_deterministic_algorithms(bool(deterministic), warn_only=deterministic == "warn")
    if settings.fill_uninitialized_memory is not None:
        torch.utils.deterministic.fill_uninitialized_memory = settings.fill_uninitialized_memory  # type: ignore[attr-defined]
    if settings.matmul_precision is not None:
        torch.set_float32_matmul_precision(settings.matmul_precision)
    if settings.mkldnn is not None:
        mkldnn.set_flags(settings.mkldnn)  # type: ignore[no-untyped-call]
    if settings.mkldnn_deterministic is not None:
        if not hasattr(mkldnn, "deterministic"):
            raise BenchError(f"torch {torch.__version__} has no torch.backends.mkldnn.deterministic")
        mkldnn.deterministic = settings.mkldnn_deterministic  # type: ignore[assignment]
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
