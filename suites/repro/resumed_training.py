"""Does a training that is resumed from model, optimizer, scheduler and epoch end where an uninterrupted one ends?"""

import io

import torch
import torch.nn.functional as F
from torch import nn

from bench import Subject, benchmark, identical

from ._recipe import earlier
from ._trainings import weights

EPOCHS = 6
NOTED = ("model", "optimizer", "scheduler", "epoch")


class Training:
    """A small training that can be saved after any epoch."""

    def __init__(self, device, draws):
        dropout = 0.5 if draws == "dropout" else 0.0
        self.model = nn.Sequential(nn.Linear(16, 32), nn.ReLU(), nn.Dropout(dropout), nn.Linear(32, 4)).to(device)
        self.optimizer = torch.optim.Adam(self.model.parameters(), lr=0.01)
        self.scheduler = torch.optim.lr_scheduler.StepLR(self.optimizer, step_size=2, gamma=0.5)
        self.epoch, self.draws = 0, draws
        self.x = torch.linspace(-2, 2, 32 * 16, device=device).sin().reshape(32, 16)
        self.y = torch.arange(32, device=device) % 4

    def run(self, until):
        while self.epoch < until:
            order = torch.randperm(32) if self.draws == "shuffle" else torch.arange(32)
            for part in order.split(8):
                self.optimizer.zero_grad()
                F.cross_entropy(self.model(self.x[part]), self.y[part]).backward()
                self.optimizer.step()
            self.scheduler.step()
            self.epoch += 1

    def save(self):
        file = io.BytesIO()
        states = {name: getattr(self, name).state_dict() for name in ("model", "optimizer", "scheduler")}
        torch.save({**states, "epoch": self.epoch, "random": torch.get_rng_state()}, file)
        file.seek(0)
        return file

    def load(self, file, parts):
        saved = torch.load(file, weights_only=True)
        for name in ("model", "optimizer", "scheduler"):
            if name in parts:
                getattr(self, name).load_state_dict(saved[name])
        self.epoch = saved["epoch"]
        if "random" in parts:
            torch.set_rng_state(saved["random"])


def trained(like, draws, parts):
    """The weights after all epochs; ``parts``: what is put back in the middle, where a new process takes over."""
    with torch.enable_grad():
        torch.manual_seed(0)
        training = Training(like.device, draws)
        if parts:
            training.run(EPOCHS // 2)
            file = training.save()
            earlier(7)
            training = Training(like.device, draws)
            training.load(file, parts)
        training.run(EPOCHS)
    return weights(training.model)


@benchmark(
    variants={
        "uninterrupted": (),
        "as_noted": NOTED,
        "with_random_state": (*NOTED, "random"),
        "without_optimizer": ("model", "scheduler", "epoch"),
        "without_scheduler": ("model", "optimizer", "epoch"),
    },
    cpu={"draws": ["nothing", "dropout", "shuffle"]},
    cuda={"draws": ["nothing", "shuffle"]},
    phases=(),
    claims=[
        identical("output", of="as_noted", note="R7"),
        identical("output", of="with_random_state", note="R7"),
    ],
)
def resumed_training(parts, draws):
    """As noted is enough for a training that draws nothing; with dropout or shuffling the generators belong to it."""
    return Subject(trained, torch.empty(1), draws, parts)
