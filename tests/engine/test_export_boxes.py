"""The default model of `ictrack track`, a detector of boxes with an embedding head, exported."""

from __future__ import annotations

import subprocess
from functools import cache

import numpy as np
import pytest
import torch
from exported import command_without_torch, compare_tracks, random_frame, small_boxes, write_frames

from ictrack.engine.export import export_model
from ictrack.engine.onnx_tracker import OnnxTracker
from ictrack.engine.setup import load_config
from ictrack.engine.video_tracker import VideoTracker
from ictrack.model_zoo import config_path
from ictrack.modeling.build import build_model
from ictrack.modeling.export import ExportError, exported_graph

SIZES = ((60, 90), (50, 120), (141, 99))
MODELS = {
    "features of its own": (),
    "features of the detector": ("MODEL.EMBEDDED_DETECTOR.FEATURES.BACKBONE", ""),
    "adapted": ("MODEL.VIDEO_EMBEDDING.ENABLED", True),
    "trained": ("MODEL.EMBEDDING.NAME", "InstanceEmbeddingHead", "MODEL.EMBEDDING.NUM_CONVS", 1,
                "MODEL.EMBEDDING.CONV_DIM", 32, "MODEL.EMBEDDING.DIM", 8),
    "classes apart": ("MODEL.NANODET.NMS_CLASS_AGNOSTIC", False, "MODEL.NANODET.PRE_NMS_TOPK_TEST", 200),
}  # fmt: skip


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Function of a model's name: its configuration and its file, which is written once."""

    @cache
    def export(name):
        folder = tmp_path_factory.mktemp(name.replace(" ", "_"))
        cfg = small_boxes(folder, *MODELS[name])
        facts = export_model(cfg, folder / "model.onnx")
        assert facts.architecture == "EmbeddedDetector" and len(facts.class_names) == 80
        return cfg, folder / "model.onnx"

    return export


@pytest.mark.parametrize("name", MODELS)
@torch.no_grad()
def test_the_function_that_is_exported_equals_the_model(name, tmp_path):
    original = VideoTracker.from_config(small_boxes(tmp_path, *MODELS[name]))
    graph = exported_graph(original.model, "detections").eval()
    for height, width in SIZES:
        frame = random_frame(height, width)
        expected = original.detect(frame)
        image = torch.from_numpy(original.resize(frame).copy())
        scores, classes, boxes, embeddings = graph(image, torch.tensor([height, width]))
        assert len(scores) >= 5
        torch.testing.assert_close(scores, expected.scores)
        assert torch.equal(classes, expected.pred_classes)
        torch.testing.assert_close(boxes, expected.pred_boxes.tensor, rtol=0, atol=1e-4)
        torch.testing.assert_close(embeddings, expected.embeddings, rtol=0, atol=1e-5)


@pytest.mark.parametrize("name", ["features of its own", "adapted"])
def test_detections_equal_those_of_pytorch(name, exported):
    cfg, path = exported(name)
    runtime, original = OnnxTracker(path), VideoTracker.from_config(cfg)
    for height, width in SIZES:
        frame = random_frame(height, width)
        found, expected = runtime.detect(frame), original.detect(frame)
        assert len(found["scores"]) == len(expected) >= 5
        assert found["scores"] == pytest.approx(expected.scores.numpy(), abs=1e-4)
        assert found["pred_classes"].tolist() == expected.pred_classes.tolist()
        assert found["pred_boxes"] == pytest.approx(expected.pred_boxes.tensor.numpy(), abs=1e-2)
        # Rounding grows in a deep network whose random features are all but constant.
        scale = float(expected.embeddings.abs().max())
        assert found["embeddings"] == pytest.approx(expected.embeddings.numpy(), abs=1e-2 * scale)


def test_identities_equal_those_of_pytorch(exported, tmp_path):
    cfg, path = exported("features of its own")
    runtime, original = OnnxTracker(path), VideoTracker.from_config(cfg)
    clip = write_frames(tmp_path / "clip")
    identities = compare_tracks(runtime, original, clip, 1e-2)
    assert runtime.num_frames == 6 and len(identities) >= 4


def test_it_tracks_without_pytorch(exported, tmp_path):
    _, path = exported("features of its own")
    clip, tracks = write_frames(tmp_path / "clip", 2), tmp_path / "tracks.csv"
    arguments = ("track", "--onnx", path, "--input", clip, "--save-tracks", tracks)
    result = subprocess.run(command_without_torch(*arguments), capture_output=True, text=True)
    assert result.returncode == 0, result.stderr
    assert len(tracks.read_text().splitlines()) > 5


def test_nothing_is_found(tmp_path):
    export_model(small_boxes(tmp_path, "MODEL.NANODET.SCORE_THRESH_TEST", 1.0), tmp_path / "model.onnx")
    runtime = OnnxTracker(tmp_path / "model.onnx")
    runtime.start((60, 90))
    for index in range(2):
        tracks = runtime.track(random_frame(60, 90), index)
        assert len(tracks) == 0 and tracks.boxes.shape == (0, 4)
    assert runtime.detect(np.zeros((60, 90, 3), np.uint8))["embeddings"].shape[0] == 0


def test_what_cannot_be_exported(tmp_path):
    with pytest.raises(ExportError, match=r"MODEL\.BOX_MASK"):
        export_model(small_boxes(tmp_path, "MODEL.BOX_MASK.ENABLED", True), tmp_path / "x.onnx")
    cfg = load_config(str(config_path("given_detections.yaml")), ["MODEL.DEVICE", "cpu"])
    cfg.MODEL.EMBEDDED_DETECTOR.META_ARCHITECTURE = "RetinaNet"
    cfg.MODEL.BACKBONE.NAME = "build_retinanet_resnet_fpn_backbone"
    cfg.MODEL.RESNETS.OUT_FEATURES = ["res3", "res4", "res5"]
    cfg.MODEL.FPN.IN_FEATURES = ["res3", "res4", "res5"]
    with pytest.raises(ExportError, match="META_ARCHITECTURE RetinaNet cannot be exported; NanoDet and MoveNet can"):
        exported_graph(build_model(cfg), "detections")
    assert not (tmp_path / "x.onnx").exists()
