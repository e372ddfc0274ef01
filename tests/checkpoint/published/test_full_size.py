"""The full-size models take every tensor of the published ones, with its shape, and no other."""

import parity_psa
import parity_solo
import pytest
import torch
from detectron2.modeling import build_model
from published_keys import zero_weights

from ictrack.checkpoint import convert_weights
from ictrack.checkpoint.fit import fit_weights


def meta_state_dict(cfg):
    cfg.MODEL.DEVICE = "meta"
    with torch.device("meta"):
        return build_model(cfg).state_dict()


@pytest.mark.parametrize("model", ["mmdet3_solo_r50_fpn", "wxinlong_solo_r50_fpn"])
def test_solo(model):
    fit = fit_weights(convert_weights(zero_weights(model)).weights, meta_state_dict(parity_solo.base_cfg()))
    assert not fit.problems() and not fit.initial


@pytest.mark.parametrize("width", [32, 48])
def test_point_set_anchor(width):
    cfg = parity_psa.base_cfg()
    cfg.MODEL.HRNET.WIDTH = width
    converted = convert_weights(zero_weights(f"pointsetanchor_pose_hrnet_w{width}"))
    fit = fit_weights(converted.weights, meta_state_dict(cfg))
    assert not fit.problems() and not fit.initial
