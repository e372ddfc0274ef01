"""The keypoint embedding module on people that MoveNet finds."""

from pathlib import Path

import numpy as np
import torch
from detectron2.structures import Boxes, Instances, Keypoints

from ictrack.checkpoint.safe_checkpointer import SafeCheckpointer
from ictrack.engine.setup import load_config
from ictrack.model_zoo import get_config_file
from ictrack.modeling.build import build_model

GOLDEN = Path(__file__).parents[2] / "data" / "golden_tfjs" / "movenet.npz"
KEM = [
    "MODEL.DEVICE", "cpu", "MODEL.TIMM.NAME", "resnet10t", "MODEL.TIMM.WEIGHTS", "",
    "MODEL.TIMM.STATISTICS", "", "MODEL.EMBEDDING.NAME", "KeypointEmbeddingModule", "MODEL.EMBEDDING.CONV_DIM", 16,
    "MODEL.EMBEDDING.NUM_GROUPS", 4, "MODEL.EMBEDDING.DIM", 8, "MODEL.EMBEDDING.IN_FEATURES", ["res2"],
]  # fmt: skip


def test_it_is_trained_beside_the_frozen_detector_and_read_at_the_joints():
    torch.manual_seed(0)
    cfg = load_config(str(get_config_file("pose")), KEM)
    model = build_model(cfg)
    SafeCheckpointer(model).load(cfg.MODEL.WEIGHTS)
    joints = torch.rand(2, 17, 3) * torch.tensor([90.0, 60.0, 0.0]) + torch.tensor([0.0, 0.0, 2.0])
    truth = Instances((64, 96), gt_boxes=Boxes(torch.tensor([[0.0, 0, 96, 64]] * 2)), gt_keypoints=Keypoints(joints))
    truth.gt_classes = torch.zeros(2, dtype=torch.int64)
    image = torch.rand(3, 64, 96) * 255
    losses = model.train()([{"image": image, "instances": truth}])
    assert losses and all(name.startswith("loss_embed") for name in losses)
    sum(losses.values()).backward()
    assert all(p.grad is None for p in model.detector.parameters())
    street = torch.from_numpy(np.load(GOLDEN)["image"][..., ::-1].copy()).permute(2, 0, 1)
    with torch.no_grad():
        found = model.eval()([{"image": street}])[0]["instances"]
    assert len(found) > 0 and found.embeddings.shape == (len(found), 8) and found.embeddings.isfinite().all()
