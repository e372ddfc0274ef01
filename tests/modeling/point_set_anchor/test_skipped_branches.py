"""Branches whose outputs nobody reads do not run, and what remains is the same to the last bit."""

from collections import Counter

import pytest
import torch
from detectron2.modeling import build_model
from tiny_pose_model import labeled_people, pose_config, pose_sample

from ictrack.modeling.point_set_anchor.head import PointAlignedBranch


def random_model(num_stages, is_multi_scale=False, **keys):
    """A pose model with the two-head module, whose random heads find people."""
    cfg = pose_config(**{"OBJECTIVE": "correspondence", **keys})
    psa = cfg.MODEL.POINT_SET_ANCHOR
    psa.POSITIVE_OKS, psa.NEGATIVE_OKS = [0.5, 0.6, 0.7][:num_stages], [0.4, 0.5, 0.6][:num_stages]
    psa.INIT_STD, psa.SCORE_THRESH_TEST = 0.05, 0.0
    cfg.TEST.AUG.ENABLED, cfg.TEST.AUG.MIN_SIZES, cfg.TEST.AUG.FLIP = is_multi_scale, [48, 80], True
    torch.manual_seed(0)
    return build_model(cfg)


def run_everything(model):
    """Have all branches of all stages run, whoever asks."""
    stages = model.stages
    model.stages = lambda features, image_sizes, parts: stages(features, image_sizes, "everything")


def counted(model):
    """How often each branch has run since."""
    runs = Counter()
    for name, module in model.named_modules():
        if isinstance(module, PointAlignedBranch) or name in ("heatmap_head.heatmap", "heatmap_head.offset"):
            module.register_forward_hook(lambda *_, name=name: runs.update([name]))
    return runs


@pytest.mark.parametrize("is_multi_scale", [False, True])
@pytest.mark.parametrize("num_stages", [1, 2, 3])
def test_people(num_stages, is_multi_scale):
    model = random_model(num_stages, is_multi_scale).eval()
    image = torch.randint(256, (3, 64, 96), generator=torch.Generator().manual_seed(1), dtype=torch.uint8)
    runs = counted(model)
    with torch.no_grad():
        (skipped,) = model([{"image": image}])
    levels, views = len(model.in_features), 4 if is_multi_scale else 1
    assert runs == {
        **{f"heads.{i}.point_branch": levels * views for i in range(num_stages)},
        f"heads.{num_stages - 1}.class_branch": levels * views,
        "heatmap_head.heatmap": views + is_multi_scale,  # KEM reads that of the image as it came
        "heatmap_head.offset": views,
    }
    run_everything(model)
    runs.clear()
    with torch.no_grad():
        (full,) = model([{"image": image}])
    assert len(runs) == 3 * num_stages + 2
    skipped, full = skipped["instances"].get_fields(), full["instances"].get_fields()
    assert len(full["scores"]) > 10 and full["embeddings"].any()
    for name in ("scores", "pred_keypoints", "embeddings"):
        assert torch.equal(skipped[name], full[name]), name
    assert torch.equal(skipped["pred_boxes"].tensor, full["pred_boxes"].tensor)


def test_frozen_features_of_video():
    model = random_model(2).train()
    images = [x["image"] for x in (labeled_people(), labeled_people())]
    runs = counted(model)
    features, size = model.extract_features(images)
    assert runs == {"heatmap_head.heatmap": 1}
    batch = model.preprocess_image(images)
    expected = model.forward_features(batch.tensor)
    assert size == batch.tensor.shape[-2:] == expected.padded_size
    assert set(features) == {*expected.features, "heatmap"}
    assert torch.equal(features["heatmap"], expected.heatmaps)
    assert all(torch.equal(features[name], x) for name, x in expected.features.items())


def test_frozen_detector_under_an_embedding_that_trains():
    """On labeled images KEM needs the poses, no class and no box; with the same losses."""
    losses = []
    for everything in (False, True):
        model = random_model(2, FREEZE=["detector"]).train()
        runs = counted(model)
        if everything:
            run_everything(model)
        torch.manual_seed(0)
        losses.append(model([labeled_people(), labeled_people(), pose_sample("a", 2)]))
        assert ("heads.1.class_branch" in runs) == everything
        assert "heatmap_head.offset" not in runs
        sum(losses[-1].values()).backward()
        assert [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None] == []
    assert losses[0] == losses[1] and losses[0]


def test_a_detector_that_trains_runs_all_of_it():
    model = random_model(2, FREEZE=[]).train()
    runs = counted(model)
    losses = model([labeled_people(), labeled_people()])
    assert len(runs) == 8 and all(runs.values())
    sum(losses.values()).backward()
    assert not [name for name, p in model.named_parameters() if p.grad is None]


def test_a_box_branch_without_a_loss():
    cfg = pose_config(OBJECTIVE="correspondence", FREEZE=[])
    cfg.MODEL.POINT_SET_ANCHOR.BOX_LOSS_WEIGHT = 0.0
    model = build_model(cfg).train()
    runs = counted(model)
    losses = model([labeled_people(), labeled_people()])
    assert len(runs) == 2 * len(model.heads) + 2 and not [name for name in runs if "box" in name]
    assert not [name for name in losses if "box" in name]
    sum(losses.values()).backward()
    assert not [name for name, p in model.named_parameters() if p.requires_grad and p.grad is None]


def test_normalisation_of_both_heatmap_branches_sees_the_same_images():
    """In joint training: the frames of unlabeled video, too."""
    model = random_model(2, FREEZE=[]).train()
    runs = counted(model)
    model.extract_features([labeled_people()["image"]] * 2)
    assert runs == {"heatmap_head.heatmap": 1, "heatmap_head.offset": 1}
