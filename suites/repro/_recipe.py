"""The notes' recipe for repeatable trainings, whole or with a line left out, and what may have run before it."""

import random

import numpy as np
import torch

LINES = ("python", "numpy", "torch", "cuda", "cudnn")


def same_seeds(seed, without=""):
    """``same_seeds()`` as the note has it; ``without``: the line that is left out."""
    if without != "python":
        random.seed(seed)
    if without != "numpy":
        np.random.seed(seed)
    if without != "torch":
        torch.manual_seed(seed)
    if without != "cuda" and torch.cuda.is_available():
        torch.cuda.manual_seed(seed)
        torch.cuda.manual_seed_all(seed)
    if without != "cudnn":
        torch.backends.cudnn.benchmark = False
        torch.backends.cudnn.deterministic = True


def earlier(history):
    """Leave every generator and switch in some state, as another program's past would: ``history`` says which."""
    random.seed(1000 + history)
    np.random.seed(1000 + history)
    torch.manual_seed(1000 + history)
    torch.backends.cudnn.benchmark = bool(history % 2)
    torch.backends.cudnn.deterministic = not history % 2
