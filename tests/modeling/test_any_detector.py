"""Every kind of Detectron2 detector with an embedding head: from a zoo file, one training step, tracked, saved."""

import pickle
from pathlib import Path

import numpy as np
import pytest
import torch
from detectron2 import model_zoo
from detectron2.config import instantiate
from detectron2.structures import BitMasks, Boxes, Instances, Keypoints
from detectron2.utils.events import EventStorage

from ictrack.checkpoint.safe_checkpointer import SafeCheckpointer
from ictrack.engine.setup import ConfigError, load_config
from ictrack.engine.video_run import track_video
from ictrack.engine.video_tracker import VideoTracker
from ictrack.modeling import attach_embedding_head
from ictrack.modeling.build import build_model
from ictrack.structures.track_formats import format_of
from ictrack.tracking import build_tracker

CONFIGS = Path(__file__).resolve().parents[2] / "configs" / "any_detector"
LEAVES = sorted(path.stem for path in CONFIGS.glob("[a-z]*.yaml"))
SMALL = [
    "MODEL.DEVICE", "cpu", "MODEL.RESNETS.DEPTH", 18, "MODEL.RESNETS.RES2_OUT_CHANNELS", 64,
    "MODEL.TIMM.NAME", "resnet10t", "MODEL.TIMM.WEIGHTS", "", "MODEL.TIMM.STATISTICS", "",
    "MODEL.ROI_HEADS.SCORE_THRESH_TEST", 0.0, "MODEL.RETINANET.SCORE_THRESH_TEST", 0.0,
    "TEST.DETECTIONS_PER_IMAGE", 5, "INPUT.MIN_SIZE_TEST", 64, "INPUT.MAX_SIZE_TEST", 96,
    "TRACKER_HEADS.MIN_SCORE", 0.0, "TRACKER_HEADS.NEW_TRACK_SCORE", 0.0,
    "TRACKER_HEADS.CONFLICT_NEW_TRACK_SCORE", 0.0,
    "MODEL.FPN.OUT_CHANNELS", 32, "MODEL.RPN.POST_NMS_TOPK_TRAIN", 100, "MODEL.RPN.POST_NMS_TOPK_TEST", 100,
    "MODEL.ROI_HEADS.BATCH_SIZE_PER_IMAGE", 32, "MODEL.ROI_BOX_HEAD.FC_DIM", 64, "MODEL.ROI_MASK_HEAD.CONV_DIM", 32,
    "MODEL.ROI_KEYPOINT_HEAD.CONV_DIMS", [32, 32], "MODEL.SEM_SEG_HEAD.CONVS_DIM", 32,
]  # fmt: skip
HEAD = ["MODEL.EMBEDDING.NAME", "InstanceEmbeddingHead", "MODEL.EMBEDDING.NUM_CONVS", 0, "MODEL.EMBEDDING.DIM", 8]
SIZE = (64, 96)


def picture(seed=0):
    return torch.randint(0, 256, (3, *SIZE), generator=torch.Generator().manual_seed(seed)).float()


def labeled():
    boxes = torch.tensor([[4.0, 4, 40, 60], [50, 8, 92, 56]])
    masks = torch.zeros(2, *SIZE, dtype=torch.bool)
    masks[0, 4:60, 4:40], masks[1, 8:56, 50:92] = True, True
    truth = Instances(SIZE, gt_boxes=Boxes(boxes), gt_classes=torch.tensor([0, 0]), gt_masks=BitMasks(masks))
    joints = torch.stack([(boxes[:, :1] + boxes[:, 2:3]) / 2, (boxes[:, 1:2] + boxes[:, 3:]) / 2], dim=2)
    visible = torch.full((2, 17, 1), 2.0)
    truth.gt_keypoints = Keypoints(torch.cat([joints.expand(2, 17, 2), visible], dim=2))
    return {"image": picture(), "instances": truth, "sem_seg": torch.zeros(SIZE, dtype=torch.int64)}


def check_road(model, bare, video_tracker, folder):
    """Detections as of the bare detector; one training step; a tracked clip, saved in two formats."""
    batch = [{"image": picture(), "height": 128, "width": 192}]
    with torch.no_grad():
        found, expected = model.eval()(batch)[0]["instances"], bare.eval()(batch)[0]["instances"]
    assert len(found) and found.embeddings.shape[0] == len(found)
    for name, value in expected.get_fields().items():
        ours = found.get(name)
        assert torch.equal(getattr(ours, "tensor", ours), getattr(value, "tensor", value)), name

    model.train()
    optimizer = torch.optim.SGD([p for p in model.parameters() if p.requires_grad], lr=1e-4)
    with EventStorage():
        losses = model([labeled()])
    assert any(name.startswith("loss_embed") for name in losses) and len(losses) > 3
    sum(losses.values()).backward()
    optimizer.step()

    model.eval()
    for name in ("tracks.json", "tracks.csv"):
        summary = track_video(video_tracker, clip(folder), save_tracks=folder / name)
        masks = found.has("pred_masks") and name.endswith(".json")
        (video,) = format_of(folder / name, "youtube-vis" if masks else None).read(folder / name)
        rows = [identity for frame in video.frames for identity in frame.ids.tolist()]
        assert summary.detections == len(rows) > 0 and len(set(rows)) == summary.tracks


def clip(folder):
    import cv2

    frames = folder / "frames"
    frames.mkdir(exist_ok=True)
    for index in range(3):
        cv2.imwrite(str(frames / f"{index}.png"), picture(index).permute(1, 2, 0).numpy().astype(np.uint8))
    return frames


@pytest.mark.parametrize("leaf", LEAVES)
def test_models_of_the_zoo(leaf, tmp_path):
    torch.manual_seed(0)
    cfg = load_config(str(CONFIGS / f"{leaf}.yaml"), [*SMALL, *HEAD])
    assert cfg.MODEL.WEIGHTS.startswith(("https://", "detectron2://")) and cfg.MODEL.WEIGHTS.endswith(".pkl")
    bare_cfg = cfg.clone()
    bare_cfg.MODEL.META_ARCHITECTURE = cfg.MODEL.EMBEDDED_DETECTOR.META_ARCHITECTURE
    bare = build_model(bare_cfg)
    weights = {name: value.numpy() for name, value in bare.state_dict().items()}
    with open(tmp_path / "model_final.pkl", "wb") as file:
        pickle.dump({"model": weights, "__author__": "Detectron2 Model Zoo"}, file)

    model = build_model(cfg)
    SafeCheckpointer(model).load(str(tmp_path / "model_final.pkl"))
    cfg.MODEL.WEIGHTS = str(tmp_path / "model_final.pkl")
    check_road(model, bare, VideoTracker.from_config(cfg), tmp_path)


@pytest.mark.parametrize("name", ["fcos_R_50_FPN_1x.py", "retinanet_R_50_FPN_1x.py"])
def test_lazy_configurations(name, tmp_path):
    torch.manual_seed(0)
    lazy = model_zoo.get_config(f"COCO-Detection/{name}").model
    lazy.backbone.norm = "GN"  # random weights without any normalization overflow
    lazy.test_score_thresh, lazy.max_detections_per_image = 0.0, 5
    detector = instantiate(lazy)
    cfg = load_config(str(CONFIGS / "Base-ZooDetector.yaml"), [*SMALL, *HEAD])
    model = attach_embedding_head(detector, cfg)
    video_tracker = VideoTracker(model, lambda height, width: build_tracker(cfg, height, width), class_names=["a"] * 80)
    check_road(model, detector, video_tracker, tmp_path)


@pytest.mark.parametrize("name", ["COCO-Detection/no_such.yaml", "COCO-Detection/fcos_R_50_FPN_1x.py"])
def test_other_names_of_the_zoo_are_refused(name):
    with pytest.raises(ConfigError, match=r"MODEL\.EMBEDDED_DETECTOR\.ZOO"):
        load_config(str(CONFIGS / "Base-ZooDetector.yaml"), ["MODEL.EMBEDDED_DETECTOR.ZOO", name])


def test_keys_of_the_file_override_those_of_the_zoo(tmp_path):
    path = tmp_path / "mine.yaml"
    path.write_text(f'_BASE_: "{CONFIGS / "retinanet_R_50_FPN_3x.yaml"}"\nMODEL: {{RETINANET: {{NUM_CLASSES: 3}}}}\n')
    cfg = load_config(str(path), ["INPUT.MIN_SIZE_TEST", "123"])
    assert (cfg.MODEL.RETINANET.NUM_CLASSES, cfg.INPUT.MIN_SIZE_TEST) == (3, 123)
    assert cfg.MODEL.EMBEDDED_DETECTOR.META_ARCHITECTURE == "RetinaNet"
