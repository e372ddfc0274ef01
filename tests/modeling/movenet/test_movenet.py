from pathlib import Path

import numpy as np
import pytest
import torch

from ictrack.checkpoint.safe_checkpointer import SafeCheckpointer
from ictrack.engine.setup import load_config
from ictrack.model_zoo import get_config_file
from ictrack.modeling.build import build_model

GOLDEN = Path(__file__).parents[2] / "data" / "golden_tfjs" / "movenet.npz"


@pytest.fixture(scope="module")
def published():
    overrides = [
        "MODEL.META_ARCHITECTURE",
        "MoveNet",
        "MODEL.DEVICE",
        "cpu",
        "MODEL.MOVENET.SCORE_THRESH_TEST",
        0.0,
        "TEST.DETECTIONS_PER_IMAGE",
        6,
    ]
    model = build_model(load_config(str(get_config_file("pose")), overrides)).eval()
    SafeCheckpointer(model).load("ictrack://movenet_multipose.safetensors")
    return model


def image_of(golden):
    return torch.from_numpy(golden["image"][..., ::-1].copy()).permute(2, 0, 1)


def test_people_equal_those_of_the_published_graph(published):
    # Output of TensorFlow.js 4 on this picture: six people's joints (y, x, score), box (y, x, y, x) and score, 0 to 1.
    golden = np.load(GOLDEN)
    with torch.no_grad():
        people = published([{"image": image_of(golden)}])[0]["instances"]
    height, width = golden["image"].shape[:2]
    expected = golden["people"]
    joints = expected[:, :51].reshape(6, 17, 3)[..., [1, 0, 2]] * np.array([width, height, 1])
    boxes = expected[:, 51:55][:, [1, 0, 3, 2]] * np.array([width, height, width, height])
    np.testing.assert_allclose(people.pred_keypoints, joints, atol=2e-3)
    np.testing.assert_allclose(people.pred_boxes.tensor, boxes, atol=2e-3)
    np.testing.assert_allclose(people.scores, expected[:, 55], atol=1e-4)


def test_output_size_scales_poses(published):
    image = image_of(np.load(GOLDEN))
    with torch.no_grad():
        same, doubled = (
            published([{"image": image, "height": 192 * n, "width": 256 * n}])[0]["instances"] for n in (1, 2)
        )
    torch.testing.assert_close(doubled.pred_keypoints[..., :2], 2 * same.pred_keypoints[..., :2])
    torch.testing.assert_close(doubled.pred_boxes.tensor, 2 * same.pred_boxes.tensor)


def test_more_than_six_people(published):
    # Two copies of a picture side by side.
    image = image_of(np.load(GOLDEN))
    model, limit = published, published.max_people
    try:
        model.max_people = 24
        with torch.no_grad():
            found = model([{"image": torch.cat([image, image], dim=2)}])[0]["instances"]
    finally:
        model.max_people = limit
    assert len(found) > 6


def test_no_person_at_all(published):
    threshold = published.score_thresh
    try:
        published.score_thresh = 0.9
        with torch.no_grad():
            found = published([{"image": torch.zeros(3, 64, 64)}])[0]["instances"]
    finally:
        published.score_thresh = threshold
    assert len(found) == 0 and found.pred_keypoints.shape == (0, 17, 3)


def test_it_is_not_trained(published):
    published.train()
    try:
        with pytest.raises(ValueError, match=r"MODEL\.FREEZE"):
            published([{"image": torch.zeros(3, 64, 64)}])
    finally:
        published.eval()
