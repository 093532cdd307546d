"""Small trainings, each with its own way to be repeatable or not; every one runs on the device of ``like``."""

import random
from itertools import islice

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from torch.utils.data import DataLoader, Dataset

STEPS = 8


def trained(workload, like, steps=STEPS):
    """The weights that a workload ends with, as one tensor."""
    with torch.enable_grad():
        model, batches, loss_of = WORKLOADS[workload](like.device)
        optimizer = torch.optim.SGD(model.parameters(), lr=0.05, momentum=0.9)
        for batch in islice(batches, steps):
            optimizer.zero_grad()
            loss_of(model, *batch).backward()
            optimizer.step()
    return weights(model)


def weights(model):
    """Parameters and buffers in one row."""
    return torch.cat([t.detach().double().flatten() for t in model.state_dict().values()])


def drawn(device, *shape):
    """Endless batches whose order, noise and values come from Python's, NumPy's and torch's generators."""
    while True:
        x = torch.randn(*shape, device=device)
        x = x * random.choice([0.5, 1.0, 2.0]) + float(np.random.uniform(-0.1, 0.1))
        yield x, torch.randint(4, (shape[0],), device=device)


def mlp(device, dropout=0.0):
    model = nn.Sequential(nn.Linear(32, 64), nn.ReLU(), nn.Dropout(dropout), nn.Linear(64, 4)).to(device)
    return model, drawn(device, 16, 32), lambda model, x, y: F.cross_entropy(model(x), y)


def with_dropout(device):
    return mlp(device, dropout=0.5)


def conv_bn(device):
    layers = [nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(), nn.Flatten(), nn.Linear(8 * 64, 4)]
    return nn.Sequential(*layers).to(device), drawn(device, 8, 3, 8, 8), lambda m, x, y: F.cross_entropy(m(x), y)


def segmentation(device):
    """One class per pixel: the loss is the spatial cross entropy."""

    def loss_of(model, x, _):
        return F.cross_entropy(model(x), (x[:, 0] > 0).long())

    return nn.Conv2d(3, 5, 3, padding=1).to(device), drawn(device, 4, 3, 16, 16), loss_of


def bilinear(device):
    """An image is made larger; many pixels of the gradient fall on one."""

    def loss_of(model, x, _):
        large = F.interpolate(model(x), scale_factor=2, mode="bilinear", align_corners=False)
        return (large * F.interpolate(x, scale_factor=2)).mean()

    return nn.Conv2d(3, 3, 3, padding=1).to(device), drawn(device, 4, 3, 16, 16), loss_of


def index_add(device):
    """A graph: what neighbours send is added up, many to one."""

    def loss_of(model, x, _):
        sent = model(x)
        to = torch.arange(len(x), device=device) % 3
        return torch.zeros(3, 8, device=device).index_add(0, to, sent).square().mean()

    return nn.Linear(16, 8).to(device), drawn(device, 64, 16), loss_of


def embedding_bag(device):
    bags = nn.EmbeddingBag(10, 8, mode="max").to(device)

    def loss_of(model, x, y):
        words = (x.abs() * 4).long() % 10
        return F.cross_entropy(model(words)[:, :4], y)

    return bags, drawn(device, 16, 6), loss_of


class Augmented(Dataset):
    """Eight examples with noise from NumPy's generator, as an augmentation draws it."""

    def __len__(self):
        return 8

    def __getitem__(self, i):
        return torch.full((32,), float(i)) + torch.tensor(np.random.standard_normal(32), dtype=torch.float32), i % 4


def loader(device):
    """Two worker processes that read and augment."""
    model, _, loss_of = mlp(device)
    data = DataLoader(Augmented(), batch_size=4, shuffle=True, num_workers=2, multiprocessing_context="fork")
    return model, ((x.to(device), y.to(device)) for x, y in data), loss_of


WORKLOADS = {
    "mlp": mlp,
    "conv_bn": conv_bn,
    "segmentation": segmentation,
    "bilinear": bilinear,
    "index_add": index_add,
    "embedding_bag": embedding_bag,
    "dropout": with_dropout,
    "loader": loader,
}
