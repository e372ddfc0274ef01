"""Heads on caches give what they give on the images' features; batches and tracklets are what they should be."""

import numpy as np
import pytest
import torch
from detectron2.layers import ShapeSpec
from detectron2.structures import Boxes, Instances

from experiments.ablation.cache import Cache, fingerprint
from experiments.ablation.cached_features import CachedFeatures, embed_detections
from experiments.ablation.methods import HEADS, ROWS, select_rows
from experiments.ablation.objectives import CachedClips, CachedImageObjective, CachedVideoObjective
from experiments.ablation.pack_detections import pack_clips, pseudo_labeled, true_identities, unpack_clips
from experiments.ablation.train_heads import mine_tracklets, purity
from experiments.association.masks import DetectedClip, DetectedFrame
from ictrack.engine.setup import load_config
from ictrack.modeling.embedding import InstanceEmbeddingHead
from ictrack.modeling.embedding.video_objectives import OBJECTIVES
from ictrack.structures.tracks import encode_mask

WIDTHS = [3, 5]


def linear_head() -> InstanceEmbeddingHead:
    shapes = {"res2": ShapeSpec(channels=3), "res3": ShapeSpec(channels=5)}
    return InstanceEmbeddingHead(
        in_features=list(shapes), input_shape=shapes, num_convs=0, dim=4, readout="mask", normalize=True
    )


def cached_features(num_sources: int, num_times: int, per_image: int = 2) -> CachedFeatures:
    """Image by image; instance i of a source has the same id in all of its images."""
    count = num_sources * num_times
    sources = torch.arange(num_sources).repeat_interleave(num_times)
    return CachedFeatures(
        sources=sources,
        times=torch.arange(num_times).repeat(num_sources),
        owners=torch.arange(count).repeat_interleave(per_image),
        ids=(10 * sources[:, None] + torch.arange(per_image)).flatten(),
        pooled=torch.randn(count * per_image, sum(WIDTHS)).half(),
        own_cells=torch.zeros((count * per_image, 3), dtype=torch.int64),
        cells=torch.zeros((0, 5), dtype=torch.int64),
    )


def test_the_cell_read_out_takes_the_chosen_images():
    shapes = {"p2": ShapeSpec(channels=6)}
    head = InstanceEmbeddingHead(
        in_features=["p2"], input_shape=shapes, num_convs=0, dim=4, readout="cell", detector_grids=[3]
    )
    maps = {"p2": torch.randn(3, 6, 3, 3).half()}
    known = CachedFeatures(
        sources=torch.arange(3),
        times=torch.zeros(3, dtype=torch.int64),
        owners=torch.tensor([0, 2, 2]),
        ids=torch.tensor([5, 6, 7]),
        pooled=torch.zeros(3, 0),
        own_cells=torch.tensor([[0, 0, 0], [0, 1, 2], [0, 2, 2]]),
        cells=torch.tensor([[0, 0, 0, 0, 0], [2, 0, 1, 1, 1], [2, 0, 1, 2, 1], [2, 0, 2, 2, 2]]),
        maps=maps,
    )
    places = known.instances("cells", torch.tensor([2, 1]), known.ids)
    assert [x.gt_ids.tolist() for x in places] == [[6, 6, 7], []]
    embeddings, rows = head.read(known.features(["p2"], torch.tensor([2, 1])), places, (1, 1))
    assert rows.tolist() == [[0, 0], [0, 1], [0, 2]]
    everything = head(known.features(["p2"], torch.arange(3)))[0]
    expected = torch.stack([everything[2, :, 1, 1], everything[2, :, 1, 2], everything[2, :, 2, 2]])
    torch.testing.assert_close(embeddings, expected)
    own = torch.stack([everything[0, :, 0, 0], everything[2, :, 1, 2], everything[2, :, 2, 2]])
    torch.testing.assert_close(embed_detections(head, known), own)


def test_concatenation_renumbers():
    a, b = cached_features(1, 2), cached_features(1, 1)
    b.cells = torch.tensor([[0, 1, 2, 3, 1]])
    both = CachedFeatures.concatenate([a, b])
    assert both.owners.tolist() == [0, 0, 1, 1, 2, 2]
    assert both.cells.tolist() == [[2, 1, 2, 3, 5]]


def test_an_image_objective_draws_views_of_the_same_stills():
    cfg = load_config(overrides=["INPUT.NUM_VIEWS", "2"])
    known = cached_features(6, 4)
    drawn = []

    class Spy(InstanceEmbeddingHead):
        def losses(self, features, instances, padded_size):
            drawn.append(torch.cat([x.gt_ids for x in instances]))
            return super().losses(features, instances, padded_size)

    head = linear_head()
    head.__class__ = Spy
    losses = CachedImageObjective(cfg, known, 8)(head)
    ids, counts = drawn[0].unique(return_counts=True)
    assert len(ids) == 4 * 2 and set(counts.tolist()) == {2}
    assert losses["loss_embed_contrast"] > 0


def test_clips_keep_their_intervals():
    cfg = load_config(overrides=["INPUT.UNLABELED.NUM_FRAMES", "3", "INPUT.UNLABELED.INTERVAL", "[4.0, 8.0]"])
    known = cached_features(5, 20)
    known.times *= 2  # every second frame is there
    objective = CachedVideoObjective(cfg, OBJECTIVES["tracklet"](cfg), known, 9, known.ids)
    for _ in range(20):
        chosen = objective.draw()
        assert len(chosen) == 9 and len(set(chosen.tolist())) == 9
        times = known.times[chosen].view(3, 3)
        assert (known.sources[chosen].view(3, 3).diff(dim=1) == 0).all()
        assert ((times.diff(dim=1) >= 4) & (times.diff(dim=1) <= 8)).all()


@pytest.mark.parametrize("objective", ["tracklet", "instance_walk"])
def test_video_objectives_learn_and_leave_out_what_is_on_no_tracklet(objective):
    cfg = load_config(overrides=["INPUT.UNLABELED.NUM_FRAMES", "3", "INPUT.UNLABELED.INTERVAL", "[1.0, 2.0]"])
    known = cached_features(4, 8, per_image=3)
    tracklets = known.ids.clone()
    tracklets[2::3] = -1
    head = linear_head()
    losses = []
    for value in (0.0, 100.0):
        known.pooled[2::3] = value
        np.random.seed(0)
        torch.manual_seed(0)
        (loss,) = CachedVideoObjective(cfg, OBJECTIVES[objective](cfg), known, 12, tracklets)(head).values()
        losses.append(loss.item())
    assert losses[0] == losses[1] > 0
    loss.backward()
    assert all(parameter.grad.any() for branch in head.branches for parameter in branch.parameters())


def test_colors_are_averaged():
    known = cached_features(1, 2)
    known.colors = torch.tensor([[1.0, 3.0], [5.0, 7.0]]).expand(2, 3, 2, 2)
    clips = CachedClips(known, torch.tensor([1, 0]), 2, 1)
    colors, valid = clips.colors((1, 1), (1, 1))
    assert colors.flatten().tolist() == [4.0] * 6 and valid.all()
    assert clips.frames.tolist() == [1, 0]


def make_clip(num_frames: int = 4) -> DetectedClip:
    """Two objects, the second of which is detected on half of its area."""
    frames = []
    for _ in range(num_frames):
        masks = np.zeros((3, 8, 16), bool)
        masks[0, :4, :4], masks[1, 4:, 8:], masks[2, 6:, 0:2] = True, True, True
        detections = Instances(
            (8, 16), pred_boxes=Boxes(torch.tensor([[0.0, 0, 4, 4], [8, 4, 16, 8], [0, 6, 2, 8]])),
            scores=torch.tensor([0.9, 0.8, 0.1]), pred_classes=torch.tensor([1, 0, 0]), row=torch.arange(3),
        )  # fmt: skip
        similarity = np.array([[0.9, 0.0, 0.0], [0.0, 0.4, 0.0]])
        features = {"color": torch.randn(3, 3)}
        frames.append(
            DetectedFrame(detections, [encode_mask(m) for m in masks], features, np.array([0, 1]), similarity)
        )
    names = [f"000/{i:05d}.jpg" for i in range(num_frames)]
    video = {"id": 7, "height": 8, "width": 16, "length": num_frames, "file_names": names}
    return DetectedClip(video, [], frames)


def test_clips_survive_the_cache(tmp_path):
    clip = make_clip()
    cache = Cache(tmp_path)
    cache.write("clips", "stamp", {"clips": pack_clips([clip])})
    (again,) = unpack_clips(cache.read("clips")["clips"], {"videos": [clip.video], "annotations": []})
    for old, new in zip(clip.frames, again.frames):
        assert new.rles == old.rles
        assert torch.equal(new.detections.pred_boxes.tensor, old.detections.pred_boxes.tensor)
        assert torch.equal(new.features["color"], old.features["color"])
        assert np.array_equal(new.similarity, old.similarity) and np.array_equal(new.gt_index, old.gt_index)


def test_a_damaged_or_outdated_file_is_not_held(tmp_path):
    cache = Cache(tmp_path)
    assert not cache.holds("a/b", "1")
    cache.write("a/b", "1", {"x": torch.ones(3)})
    assert cache.holds("a/b", "1") and not cache.holds("a/b", "2")
    path = tmp_path / "a" / "b.pt"
    path.write_bytes(path.read_bytes()[:-20])
    assert not cache.holds("a/b", "1")


def test_fingerprints_differ():
    assert fingerprint("a", {"b": 1}) == fingerprint("a", {"b": 1}) != fingerprint("a", {"b": 2})


def test_gt_and_pseudo_labels():
    clip = make_clip()
    assert true_identities([clip]).tolist() == [0, -1, -1] * 4
    records = pseudo_labeled(clip, "root", stride=3, min_score=0.5)
    assert [r["file_name"] for r in records] == ["root/000/00000.jpg", "root/000/00003.jpg"]
    assert [a["category_id"] for a in records[0]["annotations"]] == [1, 0]
    assert records[0]["annotations"][1]["bbox"] == [8, 4, 8, 4]


def test_mined_tracklets_follow_the_embedding():
    options = ["MODEL.VIDEO_EMBEDDING.TRACKLET.MIN_LENGTH", "3", "TRACKER_HEADS.EMBEDDING.SCALE", "30.0"]
    clips = [make_clip(), make_clip(2)]
    embeddings = torch.eye(3).repeat(6, 1)
    mined = mine_tracklets(load_config(overrides=options), clips, embeddings)
    # The false alarm's score is too low, the second clip too short.
    assert mined.tolist() == [0, 1, -1] * 4 + [-1] * 6
    assert purity(mined, true_identities(clips)) == 0.5
    assert np.isnan(purity(torch.tensor([-1]), torch.tensor([0])))
    assert purity(torch.tensor([0, 0]), torch.tensor([-1, -1])) == 0  # no detection shows a true object


def test_rows_name_heads_that_exist():
    assert all(name in HEADS for row in ROWS for name in row.heads)
    assert len({(row.method, row.form) for row in ROWS}) == len(ROWS)


def test_selection():
    assert [(r.form, r.method) for r in select_rows(["ic", "paper:video"])] == [
        ("strong", "ic"),
        ("paper", "ic"),
        ("paper", "video"),
    ]
    assert select_rows(None) == ROWS
    with pytest.raises(ValueError, match="no row is called icc"):
        select_rows(["icc"])
