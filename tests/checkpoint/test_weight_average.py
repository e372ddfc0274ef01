import pytest
import torch
from torch import nn

from ictrack.checkpoint.safe_checkpointer import SafeCheckpointer
from ictrack.checkpoint.weight_average import WeightAverage


def filled(value):
    model = nn.Linear(1, 1)
    nn.init.constant_(model.weight, value)
    return model


def test_update_by_hand():
    model = filled(0.0)
    average = WeightAverage(model, decay=0.5)
    nn.init.constant_(model.weight, 1.0)
    average.update()  # decay (1 + 0) / (10 + 0) = 0.1
    assert average.average_state_dict()["weight"].item() == pytest.approx(0.9)
    average.update()  # decay 2 / 11
    assert average.average_state_dict()["weight"].item() == pytest.approx(0.9 * 2 / 11 + 9 / 11)


def test_applied_restores_the_training_weights():
    model = filled(0.0)
    average = WeightAverage(model, decay=0.9)
    nn.init.constant_(model.weight, 1.0)
    with average.applied():
        assert model.weight.item() == 0.0
    assert model.weight.item() == 1.0


def test_resume_restores_both(tmp_path):
    model = filled(0.0)
    average = WeightAverage(model, decay=0.9)
    nn.init.constant_(model.weight, 1.0)
    average.update()
    SafeCheckpointer(model, str(tmp_path), average=average, weight_average=average).save("model_final")

    plain = filled(5.0)
    SafeCheckpointer(plain).load(str(tmp_path / "model_final.pth"))
    assert plain.weight.item() == pytest.approx(0.9)  # inference takes the average

    resumed = filled(5.0)
    resumed_average = WeightAverage(resumed, decay=0.9)
    checkpointer = SafeCheckpointer(resumed, str(tmp_path), average=resumed_average, weight_average=resumed_average)
    checkpointer.resume_or_load("", resume=True)
    assert resumed.weight.item() == 1.0
    assert torch.equal(resumed_average.average_state_dict()["weight"], average.average_state_dict()["weight"])


def test_decay_out_of_range():
    with pytest.raises(ValueError, match="between 0 and 1"):
        WeightAverage(filled(0.0), decay=1.0)


def test_frozen_parameters_are_left_alone():
    model = nn.Sequential(filled(1.0), filled(1.0))
    model[0].requires_grad_(False)
    average = WeightAverage(model, decay=0.5)
    assert not any(name.startswith("0.") for name in average.state_dict()["training_weights"])
    assert set(average.average_state_dict()) == set(model.state_dict())
