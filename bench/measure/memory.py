"""Bytes, in a pass of their own: never while timing."""

from __future__ import annotations

from collections.abc import Sequence

import torch

from bench.measure.device import Device
from bench.measure.subject import parameters, require_gradients, training_step
from bench.suite import Subject


def measure(device: Device, subject: Subject, phases: Sequence[str], seed: int) -> dict[str, float]:
    """Metric name -> bytes: parameters (exact), and per phase the peak above what was there before the call."""
    held = sum(p.nbytes for p in parameters(subject).values())
    values: dict[str, float] = {"memory/parameters": float(held)}
    for phase in phases:
        for name, amount in _peak(device, subject, phase, seed).items():
            if name in ("peak", "reserved"):
                values[f"memory/{name}/{phase}"] = amount
            else:
                values.setdefault(f"memory/{name}", amount)
    return values


def _peak(device: Device, subject: Subject, phase: str, seed: int) -> dict[str, float]:
    if phase == "backward":
        require_gradients(subject)
        return dict(device.peak(training_step(subject, seed)))
    with torch.set_grad_enabled(phase != "inference"):
        return dict(device.peak(lambda: subject.call(*subject.inputs)))
