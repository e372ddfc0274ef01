from __future__ import annotations

import parity_psa
import parity_solo
import pytest
import torch
from detectron2.modeling import build_model as build_detectron2_model

from ictrack.modeling.build import build_model


@pytest.mark.parametrize("parity", [parity_solo, parity_psa], ids=["SOLO", "PointSetAnchor"])
def test_weights_with_channels_last_are_the_same_model(parity, tmp_path):
    model, plain = build_model(parity.tiny_cfg()).eval(), build_detectron2_model(parity.tiny_cfg()).eval()
    convolutions = [m for m in model.modules() if isinstance(m, torch.nn.Conv2d) and m.kernel_size != (1, 1)]
    assert convolutions
    assert all(m.weight.is_contiguous(memory_format=torch.channels_last) for m in convolutions)
    # A checkpoint of either is one of the other.
    torch.save(plain.state_dict(), tmp_path / "plain.pth")
    model.load_state_dict(torch.load(tmp_path / "plain.pth", weights_only=True))
    plain.load_state_dict(model.state_dict())
    assert all(m.weight.is_contiguous(memory_format=torch.channels_last) for m in convolutions)
    images = torch.randn(1, 3, 64, 64, dtype=torch.float64)
    model.double(), plain.double()
    with torch.no_grad():
        for name, features in plain.backbone(images).items():
            torch.testing.assert_close(model.backbone(images)[name], features)
