"""The default model of `ictrack track --task pose`, a detector of poses with an embedding head, exported."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
import torch
from exported import KEM, compare_tracks, small_people, street, write_street

from ictrack.engine.export import export_model
from ictrack.engine.onnx_tracker import OnnxTracker
from ictrack.engine.video_tracker import VideoTracker
from ictrack.modeling.export import exported_graph

MODELS = {
    "published": (),
    "features of the detector": ("MODEL.EMBEDDED_DETECTOR.FEATURES.BACKBONE", ""),
    "at joints": KEM,
    "adapted": ("MODEL.VIDEO_EMBEDDING.ENABLED", True),
}
COLUMNS = ("scores", "pred_classes", "pred_boxes", "pred_keypoints", "embeddings")


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Function of a model's name: its configuration and its file, which is written once."""

    @cache
    def export(name):
        folder = tmp_path_factory.mktemp(name.replace(" ", "_"))
        cfg = small_people(folder, *MODELS[name])
        facts = export_model(cfg, folder / "model.onnx")
        assert facts.class_names == ["person"] and len(facts.joint_names) == 17
        return cfg, folder / "model.onnx"

    return export


def frames():
    """Pictures with several people, of four sizes, and one with none."""
    picture = street()
    yield from (picture, np.concatenate([picture, picture], axis=1), picture[:120], picture[:, :200])


def columns_of(instances):
    boxes, others = instances.pred_boxes.tensor, (instances.get(name) for name in COLUMNS if name != "pred_boxes")
    scores, classes, keypoints, embeddings = others
    return dict(zip(COLUMNS, (x.numpy() for x in (scores, classes, boxes, keypoints, embeddings))))


def compare(found, expected):
    assert len(found["scores"]) == len(expected["scores"]) >= 1
    assert found["pred_classes"].tolist() == expected["pred_classes"].tolist()
    for name, tolerance in zip(COLUMNS, (1e-5, 0, 1e-3, 1e-3, 1e-4)):
        assert found[name] == pytest.approx(expected[name], abs=tolerance), name


@pytest.mark.parametrize("name", MODELS)
@torch.no_grad()
def test_the_function_that_is_exported_equals_the_model(name, tmp_path):
    original = VideoTracker.from_config(small_people(tmp_path, *MODELS[name]))
    graph = exported_graph(original.model, "detections").eval()
    for frame in frames():
        image = torch.from_numpy(original.resize(frame[:, :, ::-1]).copy())
        found = graph(image, torch.tensor(frame.shape[:2]))
        compare(dict(zip(graph.output_names, (x.numpy() for x in found))), columns_of(original.detect(frame)))


@pytest.mark.parametrize("name", MODELS)
def test_detections_equal_those_of_pytorch(name, exported):
    cfg, path = exported(name)
    runtime, original = OnnxTracker(path), VideoTracker.from_config(cfg)
    for frame in frames():
        compare(runtime.detect(frame), columns_of(original.detect(frame)))


@pytest.mark.parametrize("name", ["published", "at joints"])
def test_identities_equal_those_of_pytorch(name, exported, tmp_path):
    cfg, path = exported(name)
    clip = write_street(tmp_path / "clip")
    identities = compare_tracks(OnnxTracker(path), VideoTracker.from_config(cfg), clip, 1e-2)
    assert len(identities) >= 4


def test_nobody_is_found(exported):
    _, path = exported("published")
    runtime = OnnxTracker(path)
    found = runtime.detect(np.zeros((60, 90, 3), np.uint8))
    assert [len(found[name]) for name in COLUMNS] == [0] * 5
    assert found["pred_keypoints"].shape == (0, 17, 3)
