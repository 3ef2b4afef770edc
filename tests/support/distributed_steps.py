"""Training steps of a small model with both layers, in one process or in several."""

import os
import socket

import torch
from torch_problems import conv, dense, normal

from skdict_sup import ElasticNet
from skdict_sup.nn import SemiSupervisedLoss

N_SAMPLES, N_STEPS = 8, 4


def model_and_batch():
    """A model that is the same in every process, and the samples of all processes."""
    torch.manual_seed(0)
    model = torch.nn.Sequential(
        conv(1, 4, 2, prior=ElasticNet(0.1, 0.1), learn_prior=True),
        torch.nn.Flatten(),
        dense(16, 7, prior=ElasticNet(0.1, 0.1)),
        torch.nn.Linear(7, 3).double(),
    )
    return model, normal(N_SAMPLES, 1, 3, 3), torch.arange(N_SAMPLES) % 3


def train(model, input, target):
    """Loss of each step; the steps are long, so that atoms leave the unit ball."""
    loss = SemiSupervisedLoss(model, torch.nn.CrossEntropyLoss(), mu=0.3)
    optimizer = torch.optim.SGD(model.parameters(), lr=1.0)
    values = []
    for _ in range(N_STEPS):
        optimizer.zero_grad()
        value = loss(model(input), target)
        value.backward()
        optimizer.step()
        values.append(value.detach())
    return torch.stack(values)


def take_part(rank, world_size, folder):
    """Train on a share of the samples, and save what has been learned."""
    if "lo" in (name for _, name in socket.if_nameindex()):
        os.environ["GLOO_SOCKET_IFNAME"] = "lo"  # host names may have no address
    torch.set_num_threads(1)
    group = torch.distributed
    settings = {"rank": rank, "world_size": world_size}
    group.init_process_group("gloo", init_method=f"file://{folder}/meeting", **settings)
    try:
        model, input, target = model_and_batch()
        parallel = torch.nn.parallel.DistributedDataParallel(model)
        values = train(parallel, input[rank::world_size], target[rank::world_size])
        torch.save((values, model.state_dict()), f"{folder}/{rank}.pt")
    finally:
        group.destroy_process_group()
