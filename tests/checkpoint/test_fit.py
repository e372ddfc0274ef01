"""What of a model converted weights set, and what does not fit."""

import parity_solo as parity
import pytest
import torch
from detectron2.modeling import build_model
from torch import nn

from ictrack.checkpoint import CheckpointError, convert_weights, load_detector_weights
from ictrack.checkpoint.fit import fit_weights


@pytest.fixture(scope="module")
def weights():
    return convert_weights(parity.published_weights("mmdet3")).weights


def test_all_misfits_are_listed_and_nothing_is_loaded(weights):
    model = build_model(parity.tiny_cfg())
    before = {name: x.clone() for name, x in model.state_dict().items()}
    weights = {**weights, "head.mask_outputs.1.weight": torch.zeros(99, 64, 1, 1)}
    weights["head.mask_tower.7.weight"] = weights.pop("head.category_output.bias")
    with pytest.raises(CheckpointError) as error:
        load_detector_weights(model, weights)
    assert str(error.value) == (
        "the weights do not fit the model: missing (1): head.category_output.bias; not in the model (1): "
        "head.mask_tower.7.weight; of another shape (1): head.mask_outputs.1.weight (99, 64, 1, 1), the model's "
        "(100, 64, 1, 1)"
    )
    assert all(torch.equal(x, before[name]) for name, x in model.state_dict().items())


def test_an_embedding_head_is_left_alone(weights):
    model = build_model(parity.tiny_cfg())
    model.embedding_head = nn.Linear(2, 2)
    before = model.embedding_head.weight.clone()
    load_detector_weights(model, weights)
    assert torch.equal(model.embedding_head.weight, before)
    fit = fit_weights(weights, model.state_dict())
    assert fit.initial == ["embedding_head.weight", "embedding_head.bias"]
    half = fit_weights({**weights, "embedding_head.weight": torch.zeros(2, 2)}, model.state_dict())
    assert half.missing == ["embedding_head.bias"] and not half.initial


OWN = {
    "backbone.bottom_up.stem.weight": torch.zeros(2, dtype=torch.float64),
    "backbone.bottom_up.stem.norm.running_mean": torch.zeros(2),
    "backbone.bottom_up.stem.norm.num_batches_tracked": torch.tensor(0),
    "backbone.fpn_output2.weight": torch.zeros(3),
    "backbone.fpn_output2.bias": torch.zeros(3),
    "head.output.weight": torch.zeros(4),
}


def given(*names):
    return {name: OWN[name].float() for name in OWN if any(part in name for part in names)}


def test_a_backbone_alone():
    fit = fit_weights(given("stem"), OWN, backbone_only=True)
    assert not fit.problems() and fit.initial == [name for name in OWN if "stem" not in name]
    assert fit.weights["backbone.bottom_up.stem.weight"].dtype == torch.float64
    assert fit_weights(given("stem"), OWN).missing == fit.initial
    # A pyramid of which there is a part must be whole, and so must the backbone.
    assert fit_weights(given("stem", "2.bias"), OWN, backbone_only=True).missing == ["backbone.fpn_output2.weight"]
    assert fit_weights(given("fpn"), OWN, backbone_only=True).missing == ["backbone.bottom_up.stem.weight"]


def test_statistics_may_be_merged_into_the_parameters():
    assert fit_weights(given("stem.weight"), OWN, backbone_only=True).missing == []
    some = {**given("stem.weight"), "backbone.bottom_up.other.running_mean": torch.zeros(1)}
    assert fit_weights(some, OWN, backbone_only=True).missing == ["backbone.bottom_up.stem.norm.running_mean"]


def test_counters_that_the_model_lacks_are_no_misfit():
    assert not fit_weights({**OWN, "backbone.x.num_batches_tracked": torch.tensor(1)}, OWN).problems()
