"""Exported models: the same numbers, detections and identities as by PyTorch, from the file alone."""

from __future__ import annotations

import json
from functools import cache, partial
from pathlib import Path

import numpy as np
import onnx
import onnxruntime
import pytest
import torch
from exported import (
    KEM,
    KINDS,
    compare_tracks,
    default_model,
    random_frame,
    small_boxes,
    small_deformable,
    small_people,
    small_poses,
    small_resnet,
    small_solo,
    write_frames,
)

from ictrack.engine.export import export_model
from ictrack.engine.onnx_tracker import OnnxTracker
from ictrack.engine.setup import load_config
from ictrack.engine.video_tracker import VideoTracker
from ictrack.modeling import mixed_precision
from ictrack.modeling.build import build_model
from ictrack.modeling.export import ExportError, exported_graph
from ictrack.modeling.solo import layers as solo_layers
from ictrack.structures.exported_model import METADATA_KEY, ExportedModel, ExportedModelError, tracker_config

# Sizes of images, neither of which is the exporter's example.
SIZES = ((96, 160), (256, 96))
TOLERANCE = 1e-4
COORDINATES = {"poses", "boxes", "box_size", "joint_displacement"}
QUICKSTART = Path(__file__).resolve().parents[2] / "configs" / "quickstart" / "solo_lite0.yaml"

MODELS = {
    **{f"solo_{kind}": partial(small_solo, kind=kind) for kind in KINDS},
    "solo_cells": partial(small_solo, kind="dynamic", cells=True),
    "solo_two_heads": partial(small_solo, video=True),
    "solo_resnet": small_resnet,
    "solo_deformable": partial(small_deformable, everywhere=False),
    "poses": small_poses,
    "poses_two_heads": partial(small_poses, video=True),
    "boxes": lambda folder: default_model("boxes"),
    "boxes_on_the_detector": lambda folder: small_boxes(folder, "MODEL.EMBEDDED_DETECTOR.FEATURES.BACKBONE", ""),
    "boxes_two_heads": lambda folder: small_boxes(
        folder, "MODEL.VIDEO_EMBEDDING.ENABLED", True, "MODEL.TIMM.AUTOCAST", False, "MODEL.TIMM.NAME", "resnet10t"
    ),
    "people": lambda folder: default_model("pose"),
    "people_at_joints": lambda folder: small_people(folder, *KEM),
}


@pytest.fixture(scope="module")
def exported(tmp_path_factory):
    """Function of a model's name: its configuration, and its file with detections, which is written once."""

    @cache
    def export(name):
        folder = tmp_path_factory.mktemp(name)
        cfg = MODELS[name](folder)
        export_model(cfg, folder / "model.onnx")
        return cfg, folder / "model.onnx"

    return export


def session_of(path):
    return onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])


def raw_inputs(graph, size, divisor):
    image = torch.rand(1, 3, *(-(-side // divisor) * divisor for side in size))
    return (image, torch.tensor(size))[: len(graph.input_names)]


@pytest.mark.parametrize("name", MODELS)
@torch.no_grad()
def test_raw_outputs_equal_those_of_pytorch(name, tmp_path):
    cfg = MODELS[name](tmp_path)
    facts = export_model(cfg, tmp_path / "raw.onnx", outputs="raw")
    session = session_of(tmp_path / "raw.onnx")
    model = VideoTracker.from_config(cfg).model
    graph = exported_graph(model, "raw").eval()
    for size in SIZES:
        inputs = raw_inputs(graph, size, facts.size_divisibility)
        expected = graph(*inputs)
        found = session.run(list(expected), {key: x.numpy() for key, x in zip(graph.input_names, inputs)})
        compare_raw(expected, dict(zip(expected, map(torch.from_numpy, found))), size)
        for level, logits in enumerate(model.forward_features(inputs[0]).category_logits if "solo" in name else ()):
            assert np.abs(logits.numpy() - found[list(expected).index(f"category_logits_{level}")]).max() <= TOLERANCE


@pytest.mark.parametrize("name", ["solo_grid", "solo_decoupled", "solo_cells", "solo_two_heads", "poses"])
def test_detections_equal_those_of_pytorch(name, exported):
    cfg, path = exported(name)
    runtime, original = OnnxTracker(path), VideoTracker.from_config(cfg)
    total = 0
    for height, width in ((60, 90), (50, 120), (141, 99)):
        frame = random_frame(height, width)
        found, expected = runtime.detect(frame), original.detect(frame)
        total += len(expected)
        assert len(found["scores"]) == len(expected)
        # Rounding decides about a pixel at the threshold, by which these small masks' scores and boxes are made.
        assert found["scores"] == pytest.approx(
            expected.scores.numpy(), abs=2e-2 if expected.has("pred_masks") else 1e-5
        )
        assert np.isclose(found["scores"], expected.scores.numpy(), rtol=0, atol=1e-5).mean() >= 0.9
        assert found["pred_classes"].tolist() == expected.pred_classes.tolist()
        tight = 1.01 if expected.has("pred_masks") else 1e-2
        assert found["pred_boxes"] == pytest.approx(expected.pred_boxes.tensor.numpy(), abs=tight)
        assert found["embeddings"] == pytest.approx(expected.embeddings.numpy(), abs=TOLERANCE)
        if expected.has("pred_masks"):
            assert found["pred_masks"].shape == (len(expected), height, width) and found["pred_masks"].any()
            assert (found["pred_masks"] != expected.pred_masks.numpy()).mean() < 1e-4
        else:
            assert found["pred_keypoints"] == pytest.approx(expected.pred_keypoints.numpy(), abs=1e-2)
    assert total > 20


@pytest.mark.parametrize("tracker", ["EmbeddingTracker", "SpatialTracker"])
@pytest.mark.parametrize("name", ["solo_grid", "solo_cells", "poses"])
def test_identities_equal_those_of_pytorch(name, tracker, exported, tmp_path):
    cfg, path = exported(name)
    cfg = cfg.clone()
    cfg.TRACKER_HEADS.TRACKER_NAME = tracker
    runtime = OnnxTracker(path, overrides=["TRACKER_HEADS.TRACKER_NAME", tracker])
    original = VideoTracker.from_config(cfg)
    clip = write_frames(tmp_path / "clip")
    identities = compare_tracks(runtime, original, clip, 1.01)
    assert runtime.num_frames == 6 and len(identities) >= 5
    state = runtime.tracker.state_dict()
    for key, value in original.tracker.state_dict().items():
        if value.dtype.kind in "iu":
            assert np.array_equal(state[key], value), key


@pytest.mark.parametrize("make", [small_solo, small_poses])
def test_nothing_is_found(make, tmp_path):
    cfg = make(tmp_path)
    cfg.MODEL.SOLO.SCORE_THRESH_TEST = cfg.MODEL.POINT_SET_ANCHOR.SCORE_THRESH_TEST = 1.0
    export_model(cfg, tmp_path / "model.onnx")
    runtime = OnnxTracker(tmp_path / "model.onnx")
    runtime.start((60, 90))
    tracks = runtime.track(random_frame(60, 90), 0)
    assert len(tracks) == 0 and tracks.boxes.shape == (0, 4)


def load_program(path):
    """Function of the program in a file, and the facts of its model."""
    extra = {METADATA_KEY: ""}
    program = torch.export.load(path, extra_files=extra)
    return program.module(), json.loads(extra[METADATA_KEY])


def compare_raw(expected, found, where):
    assert list(found) == list(expected)
    for key, value in expected.items():
        # Coordinates are in pixels or cells, of which the farthest are tens and hundreds.
        scale = max(float(value.abs().max()), 1) if key in COORDINATES else 1
        assert float((found[key] - value).abs().max()) <= TOLERANCE * scale, (key, where)


# One with each part, as torch.export takes its time: the deformable one has a plain ResNet's blocks, too; cells are of
# the dynamic head; features of their own are the same module for boxes and people; and two heads are one twice.
@pytest.mark.parametrize(
    "name",
    ["solo_grid", "solo_decoupled", "solo_decoupled_light", "solo_cells", "solo_deformable", "poses", "people",
     "boxes_on_the_detector"],
)  # fmt: skip
@torch.no_grad()
def test_a_torch_export_equals_the_model_at_any_size(name, tmp_path):
    cfg = MODELS[name](tmp_path)
    export_model(cfg, tmp_path / "model.pt2", file_format="torch-export", outputs="raw")
    run, facts = load_program(tmp_path / "model.pt2")
    graph = exported_graph(VideoTracker.from_config(cfg).model, "raw").eval()
    assert facts["architecture"] == type(graph.model).__name__
    divisor = facts["size_divisibility"]
    for size in (*SIZES, (3 * divisor, 3 * divisor), (130, 200)):
        inputs = raw_inputs(graph, size, divisor)
        compare_raw(graph(*inputs), run(*inputs), size)
    for sides in ((2 * divisor, 3 * divisor), (4 * divisor, 4 * divisor + 8)):
        with pytest.raises((AssertionError, RuntimeError), match="images"):
            run(*raw_inputs(graph, sides, 1))


@torch.no_grad()
def test_a_torch_export_of_one_size(tmp_path):
    cfg = small_solo(tmp_path)
    facts = export_model(cfg, tmp_path / "model.pt2", file_format="torch-export", outputs="raw", size=(50, 120))
    run, _ = load_program(tmp_path / "model.pt2")
    graph = exported_graph(VideoTracker.from_config(cfg).model, "raw").eval()
    inputs = raw_inputs(graph, (50, 120), facts.size_divisibility)
    compare_raw(graph(*inputs), run(*inputs), (50, 120))
    with pytest.raises((AssertionError, RuntimeError), match="images"):
        run(*raw_inputs(graph, (96, 160), facts.size_divisibility))


def test_a_model_that_torch_export_records_for_one_size_only(tmp_path, monkeypatch):
    monkeypatch.setattr(solo_layers, "symmetric_range", lambda steps, like: torch.linspace(-1, 1, steps))
    cfg = small_solo(tmp_path)
    with pytest.raises(ExportError, match="cannot record SOLO for images of any size; give --size"):
        export_model(cfg, tmp_path / "model.pt2", file_format="torch-export", outputs="raw")
    assert not (tmp_path / "model.pt2").exists()
    export_model(cfg, tmp_path / "model.pt2", file_format="torch-export", outputs="raw", size=(50, 120))


def test_what_cannot_be_exported(tmp_path):
    cfg = small_solo(tmp_path)
    with pytest.raises(ExportError, match="--outputs raw"):
        export_model(cfg, tmp_path / "x.pt2", file_format="torch-export")
    cfg.TRACKER_HEADS.TRACKER_NAME = "BBoxIOUTracker"
    with pytest.raises(ExportError, match="BBoxIOUTracker"):
        export_model(cfg, tmp_path / "x.onnx")
    poses = small_poses(tmp_path)
    poses.TEST.AUG.ENABLED = True
    with pytest.raises(ExportError, match=r"TEST\.AUG\.ENABLED"):
        export_model(poses, tmp_path / "x.onnx")
    with pytest.raises(ExportError, match="Linear cannot be exported; SOLO, PointSetAnchor and EmbeddedDetector can"):
        exported_graph(torch.nn.Linear(1, 1), "raw")
    assert not (tmp_path / "x.onnx").exists() and not (tmp_path / "x.pt2").exists()


def test_files_that_cannot_be_tracked_with(tmp_path):
    cfg = small_poses(tmp_path)
    export_model(cfg, tmp_path / "raw.onnx", outputs="raw")
    with pytest.raises(ExportedModelError, match=r"raw\.onnx: holds the network's raw outputs"):
        OnnxTracker(tmp_path / "raw.onnx")
    content = (tmp_path / "raw.onnx").read_bytes()
    (tmp_path / "cut.onnx").write_bytes(content[: len(content) // 2])
    with pytest.raises(ExportedModelError, match=r"cut\.onnx: is no ONNX file"):
        OnnxTracker(tmp_path / "cut.onnx")
    with pytest.raises(FileNotFoundError):
        OnnxTracker(tmp_path / "absent.onnx")
    with pytest.raises(ExportedModelError, match="does not run on 'tpu', only on cpu"):
        OnnxTracker(tmp_path / "raw.onnx", device="tpu")


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"architecture": 1}', "null", "[" * 10**5])
def test_damaged_facts(text):
    with pytest.raises(ExportedModelError, match=r"m\.onnx"):
        ExportedModel.from_metadata({METADATA_KEY: text}, "m.onnx")
    with pytest.raises(ExportedModelError, match=r"m\.onnx: was not written by `ictrack export`"):
        ExportedModel.from_metadata({"names": "{}"}, "m.onnx")


def test_keys_of_an_exported_tracker():
    settings = {"TRACKER_HEADS": {"MIN_SCORE": 0.1, "SPATIAL": {"SAME_CATEGORY": True}, "TRACKER_NAME": "x"},
                "TEST": {"KEYPOINT_OKS_SIGMAS": []}}  # fmt: skip
    changed = tracker_config(
        settings,
        ["TRACKER_HEADS.MIN_SCORE", "1", "TRACKER_HEADS.SPATIAL.SAME_CATEGORY", "False",
         "TEST.KEYPOINT_OKS_SIGMAS", "(0.1, 0.2)", "TRACKER_HEADS.TRACKER_NAME", "7"],
    )  # fmt: skip
    assert changed.TRACKER_HEADS.MIN_SCORE == 1.0 and changed.TRACKER_HEADS.SPATIAL.SAME_CATEGORY is False
    assert changed.TEST.KEYPOINT_OKS_SIGMAS == [0.1, 0.2] and changed.TRACKER_HEADS.TRACKER_NAME == "7"
    assert settings["TRACKER_HEADS"]["MIN_SCORE"] == 0.1
    for wrong, message in (
        (["MODEL.WEIGHTS", "x"], "MODEL.WEIGHTS: cannot be changed"),
        (["TRACKER_HEADS.SPATIAL", "1"], "TRACKER_HEADS.SPATIAL: cannot be changed"),
        (["TRACKER_HEADS.MIN_SCORE.X", "1"], "cannot be changed"),
        (["TRACKER_HEADS.MIN_SCORE", "high"], "'high' is no float"),
        (["TRACKER_HEADS.SPATIAL.SAME_CATEGORY", "1"], "'1' is no bool"),
        (["TRACKER_HEADS.MIN_SCORE"], "has no value"),
    ):
        with pytest.raises(ExportedModelError, match=message):
            tracker_config(settings, wrong)


def test_files_are_float32_also_where_the_backbone_is_not(tmp_path, monkeypatch):
    monkeypatch.setattr(mixed_precision, "supports", lambda device_type, dtype: True)
    keys = ["MODEL.TIMM.WEIGHTS", "", "MODEL.DEVICE", "cpu", "MODEL.WEIGHTS", str(tmp_path / "model.pth")]
    cfg = load_config(str(QUICKSTART), keys)
    assert cfg.MODEL.TIMM.AUTOCAST
    torch.save({"model": build_model(cfg).state_dict()}, tmp_path / "model.pth")
    export_model(cfg, tmp_path / "model.onnx", outputs="raw")
    graph = onnx.load(tmp_path / "model.onnx").graph
    casts = [x.i for node in graph.node if node.op_type == "Cast" for x in node.attribute]
    assert onnx.TensorProto.BFLOAT16 not in {*casts, *(x.data_type for x in graph.initializer)}
