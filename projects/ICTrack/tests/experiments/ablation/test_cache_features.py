"""Cached grid maps are what the embedding head of a detector with the cell read-out makes of an image."""

import pytest
import torch
from detectron2.modeling import build_model
from tiny_video_model import solo_config, use_cells
from torch.nn import functional as F

from experiments.ablation.cache_features import FeatureExtractor, _CachingDetector


@pytest.fixture
def extractor():
    cfg = use_cells(solo_config(ENABLED=False))
    cfg.MODEL.SOLO.NUM_GRIDS = [7, 6, 4, 3]
    torch.manual_seed(0)
    model = build_model(cfg).eval()
    head = model.embedding_head
    cfg.MODEL.EMBEDDING.IN_FEATURES = ["res2", "res3"]
    return FeatureExtractor(model, cfg), model, head


@torch.no_grad()
def expected_maps(model, head, image):
    features, _ = model.extract_features([image])
    resized = [
        F.interpolate(features[name], size=(side, side), mode="bilinear", align_corners=False)
        for name, side in zip(model.level_inputs.in_features, model.head.num_grids)
    ]
    for embedded, x in zip(head(features), head._project(resized)):
        torch.testing.assert_close(embedded, x)
    return dict(zip(model.level_inputs.in_features, resized))


def test_maps_of_frames(extractor):
    extractor, model, head = extractor
    frame = {"image": torch.randint(256, (3, 64, 96), dtype=torch.uint8), "frame_index": 0}
    expected = expected_maps(model, head, frame["image"])
    maps_of_frames = []
    with torch.no_grad():
        _CachingDetector(model, extractor._maps_of_frame, maps_of_frames, 1)([frame])
    for name, x in expected.items():
        torch.testing.assert_close(maps_of_frames[0][name], x.half())
        raw = model.backbone(model.preprocess_image([frame]).tensor)["p2"]
    assert raw.shape[-2:] == (16, 24)  # which SOLO reads at half its size
    unlike = F.interpolate(raw, size=(7, 7), mode="bilinear", align_corners=False)
    assert not torch.allclose(unlike.half(), maps_of_frames[0]["p2"], atol=1e-3)
