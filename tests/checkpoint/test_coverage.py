"""Files of other architectures, and of heads of other forms: refused with one line, or said what they set."""

import copy
import logging
import pickle
import re

import numpy as np
import parity_solo
import pytest
import torch
from detectron2.modeling import build_model
from published_keys import listed_shapes
from tiny_pose_model import pose_config
from tiny_video_model import solo_config

from ictrack.checkpoint.coverage import check_coverage
from ictrack.checkpoint.safe_checkpointer import SafeCheckpointer
from ictrack.checkpoint.weights_file import CheckpointError, load_weights_file


def reset(model):
    with torch.no_grad():
        for value in model.state_dict().values():
            value.zero_()
    return model


@pytest.fixture(scope="module")
def solo():
    """SOLO on Detectron2's ResNet-50 and FPN, whose names other projects share, narrow where they allow it."""
    cfg = parity_solo.tiny_cfg()
    return build_model(cfg)


def backbone_weights(solo):
    return {name: x for name, x in solo.state_dict().items() if name.startswith("backbone.")}


_NEW = torch.zeros(4)
FOREIGN = {
    # SOLOv2 in AdelaiDet: Detectron2's names in the backbone, others in the heads
    "adelaidet": lambda own: {**own, "ins_head.cate_pred.weight": _NEW, "mask_head.conv_pred.0.weight": _NEW},
    # SOLOv2 and decoupled SOLO of mmdetection and of their authors: names of which none is ours
    "mmdet3": lambda own: {"backbone.bn1.weight": _NEW, "mask_head.kernel_convs.0.conv.weight": _NEW},
    "decoupled": lambda own: {"backbone.bn1.bias": _NEW, "bbox_head.dsolo_ins_list_x.0.weight": _NEW},
    "torchvision": lambda own: {"conv1.weight": torch.zeros(64, 3, 7, 7), "fc.bias": torch.zeros(1000)},
    "empty": lambda own: {},
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_another_architecture_is_refused(solo, kind, tmp_path):
    path = tmp_path / "other.pth"
    torch.save({"model": FOREIGN[kind](backbone_weights(solo))}, path)
    model = copy.deepcopy(solo)
    message = r"other\.pth: is of another architecture: .* head.*MODEL\.ALLOW_PARTIAL_WEIGHTS"
    with pytest.raises(CheckpointError, match=message) as error:
        SafeCheckpointer(model).load(str(path))
    assert "\n" not in str(error.value)
    extra = SafeCheckpointer(model, allow_partial=True).load(str(path))
    assert isinstance(extra, dict)


def test_a_part_is_missing(solo, tmp_path):
    for part in ("backbone.bottom_up.", "backbone.fpn_", "head."):
        weights = {name: x for name, x in solo.state_dict().items() if not name.startswith(part)}
        torch.save(weights, tmp_path / "part.pth")
        named = {"backbone.bottom_up.": "backbone", "backbone.fpn_": "feature pyramid", "head.": "head"}[part]
        with pytest.raises(CheckpointError, match=rf"leaves the model's {named} as it is"):
            SafeCheckpointer(copy.deepcopy(solo)).load(str(tmp_path / "part.pth"))


def test_published_names_of_another_width(tmp_path):
    """An HRNet of another width has the same names; only the stem fits."""
    names = list(listed_shapes("hrnet_w48_timm"))
    assert len(names) > 1000
    own = [f"backbone.bottom_up.model.{name}" for name in names] + ["heads.0.class_branch.output.weight"]
    wrong = [(name, (32,), (48,)) for name in own if re.search(r"stage[234]", name)]
    with pytest.raises(CheckpointError, match="leaves the model's backbone as it is"):
        check_coverage(own, [], wrong, [])
    check_coverage(own, [], [], [])


def test_a_classifier_sets_the_backbone_and_is_refused_where_it_does_not(solo, tmp_path):
    own = {
        name.removeprefix("backbone.bottom_up."): x.numpy()
        for name, x in backbone_weights(solo).items()
        if "bottom_up" in name
    }
    content = {"model": own, "__author__": "torchvision", "matching_heuristics": True}
    (tmp_path / "R-50.pkl").write_bytes(pickle.dumps(content))
    model = reset(copy.deepcopy(solo))
    SafeCheckpointer(model).load(str(tmp_path / "R-50.pkl"))
    stem = "backbone.bottom_up.stem.conv1.weight"
    assert torch.equal(model.state_dict()[stem], solo.state_dict()[stem])
    content["model"] = {"classifier.weight": np.zeros((10, 4), np.float32)}
    (tmp_path / "none.pkl").write_bytes(pickle.dumps(content))
    with pytest.raises(CheckpointError, match=r"none\.pkl: is of another architecture: it leaves the model's backbone"):
        SafeCheckpointer(model).load(str(tmp_path / "none.pkl"))


@pytest.mark.parametrize("make", [solo_config, pose_config], ids=["masks", "poses"])
def test_the_stages_hand_over_and_other_heads_are_refused(make, tmp_path, caplog):
    cfg = make()
    cfg.MODEL.VIDEO_EMBEDDING.ENABLED = False
    image_stage = build_model(cfg)
    SafeCheckpointer(image_stage, str(tmp_path)).save("image")
    cfg.MODEL.VIDEO_EMBEDDING.ENABLED = True
    video_stage = build_model(cfg)
    with caplog.at_level(logging.INFO, "ictrack"):
        SafeCheckpointer(video_stage).load(str(tmp_path / "image.pth"))
    given = image_stage.embedding_head.state_dict()
    assert all(torch.equal(x, given[name]) for name, x in video_stage.embedding_head.image_head.state_dict().items())
    assert re.search(r"embedding_head\.video_head 0 of \d+", caplog.text)
    assert "embedding_head.video_head: the file has no weights for it" in caplog.text

    SafeCheckpointer(video_stage, str(tmp_path)).save("video")
    with pytest.raises(CheckpointError, match=r"video\.pth: its embedding head is not the one of MODEL\.EMBEDDING"):
        SafeCheckpointer(image_stage).load(str(tmp_path / "video.pth"))
    cfg.MODEL.EMBEDDING.DIM *= 2
    for name in ("image", "video"):  # under their own names, and under those of the image head alone
        other = build_model(cfg)
        with pytest.raises(
            CheckpointError, match=r"embedding head is not .*: embedding_head\.image_head.* the model's"
        ):
            SafeCheckpointer(other).load(str(tmp_path / f"{name}.pth"))
        SafeCheckpointer(other, allow_partial=True).load(str(tmp_path / f"{name}.pth"))


@pytest.mark.parametrize("protocol", range(2, pickle.HIGHEST_PROTOCOL + 1))
def test_arrays_in_every_protocol_of_pickle(protocol, tmp_path):
    arrays = {
        "a": np.arange(6, dtype=np.float32).reshape(2, 3),
        "b": np.asfortranarray(np.eye(3)),
        "c": np.float32(4),
        "d": np.zeros((0, 3)),
    }
    (tmp_path / "zoo.pkl").write_bytes(pickle.dumps({"model": arrays}, protocol))
    read = load_weights_file(tmp_path / "zoo.pkl")["model"]
    assert all(np.array_equal(read[name], x) for name, x in arrays.items())


def test_a_part_of_another_shape_alone_may_be_for_other_classes():
    names, shapes = ["backbone.weight", "head.weight"], [("head.weight", (4, 16), (6, 16))]
    with pytest.raises(CheckpointError, match=r"other classes \(head\.weight is \(4, 16\), the model's \(6, 16\)\)"):
        check_coverage(names, [], shapes, [])
