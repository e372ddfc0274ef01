"""One step of a training: what is not finite, and what the model draws."""

import argparse
import logging

import pytest
import torch
from detectron2.utils import comm
from detectron2.utils.events import EventStorage
from forked import launch_forked
from torch import nn
from torch.nn.parallel import DistributedDataParallel

from ictrack.engine.train_step import NonFiniteLossError, TrainStep


class Square(nn.Module):
    """Loss x w^2; a "root" has the loss sqrt(w - w), which is 0 and has no gradient."""

    def __init__(self):
        super().__init__()
        self.w = nn.Parameter(torch.tensor(2.0))
        self.drawn = []

    def forward(self, batch):
        self.drawn.append(torch.rand(()).item())
        (item,) = batch
        return {"loss": (self.w - self.w).sqrt() if item["x"] == "root" else item["x"] * self.w**2}


class Items:
    """Batches of one item each, over and over."""

    samples_per_batch = 1

    def __init__(self, *values, seed=0):
        self.values, self.seed, self.first = values, seed, 0

    def start_at(self, batch, processes_before=None):
        self.first, self.processes_before = batch, processes_before

    def __iter__(self):
        for i in range(self.first, 100):
            yield [{"x": self.values[i % len(self.values)], "file_name": f"{i}.png"}]


def step_of(*values, wrap=lambda model: model, seed=0, **options):
    model = Square()
    step = TrainStep(
        wrap(model),
        Items(*values, seed=seed),
        torch.optim.SGD(model.parameters(), 0.1),
        amp=False,
        seed=seed,
        **options,
    )
    return model, step


def run(step, count, first=0):
    with EventStorage(first) as step.storage:
        for step.iter in range(first, first + count):
            step.run_step()


@pytest.mark.parametrize(("value", "what"), [(float("nan"), "loss"), (float("inf"), "loss"), ("root", "gradient")])
def test_what_is_not_finite_stops_before_it_does_harm(value, what):
    model, step = step_of(1.0, value)
    with pytest.raises(NonFiniteLossError, match=rf"iteration 1: the {what} is not finite \(loss .*\).*1\.png"):
        run(step, 2)
    assert model.w.item() == pytest.approx(2 - 0.1 * 4)  # one step
    assert step.state_dict()["samples"] == 1


def test_a_limited_number_is_skipped(caplog):
    model, step = step_of(float("nan"), 1.0, "root", max_skipped=2)
    with caplog.at_level(logging.WARNING):
        run(step, 3)
    assert model.w.item() == pytest.approx(2 - 0.1 * 4)
    assert "0.png; skipped, 1 of at most 2" in caplog.text and "2.png; skipped, 2 of at most 2" in caplog.text

    model, resumed = step_of(float("nan"), 1.0, "root", max_skipped=2)
    resumed.load_state_dict(step.state_dict())
    with pytest.raises(NonFiniteLossError, match=r"iteration 3.*3\.png"):
        run(resumed, 1, 3)


def test_draws_depend_on_seed_and_iteration_alone():
    draws = []
    for seed, first in ((0, 0), (0, 2), (1, 0)):
        model, step = step_of(1.0, seed=seed)
        torch.manual_seed(first)
        run(step, 4 - first, first)
        draws.append(model.drawn)
    assert draws[0][2:] == draws[1] and not set(draws[0]) & set(draws[2]) and len(set(draws[0])) == 4


def test_the_seed_of_the_checkpoint_goes_on():
    first, second = step_of(1.0, seed=5)[1], step_of(1.0, seed=6)[1]
    run(first, 3)
    second.load_state_dict(first.state_dict())
    assert second.state_dict() == first.state_dict() and second.data_loader.seed == 5
    assert next(iter(second.data_loader))[0]["file_name"] == "3.png"


def test_another_number_of_processes_goes_on_at_the_same_sample():
    """Whose batches are of another size."""
    first, second = step_of(1.0)[1], step_of(1.0)[1]
    first.data_loader.samples_per_batch = 4
    run(first, 3)
    second.data_loader.samples_per_batch = 2
    second.load_state_dict(first.state_dict())
    assert second.data_loader.first == 6 and second.state_dict()["samples"] == 12
    second.load_state_dict({**first.state_dict(), "processes": 2})
    assert second.data_loader.processes_before == 2


def skip_together(args: argparse.Namespace) -> None:
    """What each of two processes runs; only the second one's batch is not finite."""
    values = (1.0, float("nan"), 1.0) if comm.get_rank() else (1.0, 1.0, 1.0)
    model, step = step_of(*values, wrap=DistributedDataParallel, max_skipped=1)
    run(step, 3)
    assert model.w.item() == pytest.approx(2 * 0.8**2)
    with pytest.raises(NonFiniteLossError, match=r"iteration 4: the loss.*images of the batch: 4\.png\. Lower"):
        run(step, 2, 3)


def test_processes_skip_together(monkeypatch):
    launch_forked(monkeypatch, skip_together)
