"""Detections and configurations for the trackers' tests."""

import pytest
import torch
from detectron2.config import get_cfg
from detectron2.structures import Boxes, Instances

from ictrack.config import add_ictrack_config


@pytest.fixture
def make_detections():
    """Instances of 100 x 200 pixels from lists; every argument has one entry a detection."""

    def make(embeddings=None, scores=None, classes=None, boxes=None, **fields):
        count = len(next(value for value in (embeddings, scores, boxes) if value is not None))
        instances = Instances((100, 200))
        instances.pred_boxes = Boxes(torch.tensor(boxes or [[10.0, 10.0, 30.0, 30.0]] * count).reshape(-1, 4))
        instances.scores = torch.tensor(scores or [0.9] * count)
        instances.pred_classes = torch.tensor(classes or [0] * count, dtype=torch.int64)
        if embeddings is not None:
            instances.embeddings = torch.tensor(embeddings, dtype=torch.float32)
        for name, value in fields.items():
            instances.set(name, value)
        return instances

    return make


@pytest.fixture
def make_cfg():
    """ICTrack's configuration with keys of TRACKER_HEADS overridden: make_cfg("MAX_AGE", 3, ...)."""

    def make(*options):
        cfg = get_cfg()
        add_ictrack_config(cfg)
        names = [f"TRACKER_HEADS.{name}" for name in options[::2]]
        cfg.merge_from_list([item for pair in zip(names, options[1::2]) for item in pair])
        return cfg

    return make
