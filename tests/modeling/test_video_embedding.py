"""The video head: fusion, weights of an image stage, freezing, each objective, batches of one or both kinds."""

import math

import pytest
import torch
from detectron2.modeling import build_model
from detectron2.structures import Instances
from detectron2.utils.events import EventStorage
from hypothesis import given, settings
from hypothesis import strategies as st
from tiny_video_model import SIZE, labeled, solo_config, use_cells, video_sample
from torch.nn import functional as F

from ictrack.engine.setup import ConfigError, load_config
from ictrack.losses.video_correspondence import video_correspondence_loss
from ictrack.modeling.embedding import VideoEmbedding
from ictrack.modeling.embedding.video_clips import VideoClips, split_batch
from ictrack.modeling.embedding.video_embedding import fuse_embeddings

OBJECTIVES = ["correspondence", "random_walk", "tracklet", "instance_walk"]
VIDEO_LOSSES = {
    "correspondence": {
        "loss_video_color",
        "loss_video_reverse_color",
        "loss_video_concentration",
        "loss_video_cycle",
    },
    "random_walk": {"loss_video_walk"},
    "tracklet": {"loss_video_tracklet"},
    "instance_walk": {"loss_video_instance_walk"},
}
IMAGE_LOSSES = {"loss_category", "loss_mask", "loss_embed_center", "loss_embed_contrast", "loss_embed_entropy"}


@pytest.fixture(autouse=True)
def event_storage():
    with EventStorage():
        yield


def clips(num_frames=3, **options):
    return [video_sample("a", num_frames, **options), video_sample("b", num_frames, ids=(1, 2, 3), **options)]


@settings(max_examples=50, deadline=None)
@given(weight=st.floats(0.01, 100), seed=st.integers(0, 99))
def test_cosine_of_fused_embeddings(weight, seed):
    generator = torch.Generator().manual_seed(seed)
    image, video = (torch.randn(2, 5, generator=generator).double() for _ in range(2))
    fused = fuse_embeddings(image, video, weight)
    image_cosine, video_cosine = (F.cosine_similarity(x[0], x[1], dim=0) for x in (image, video))
    expected = (image_cosine + weight**2 * video_cosine) / (1 + weight**2)
    assert F.cosine_similarity(fused[0], fused[1], dim=0).item() == pytest.approx(expected.item(), abs=1e-9)


@pytest.mark.parametrize(("weight", "dim"), [(0.0, 8), (1.0, 16), (math.inf, 8)])
def test_detections_carry_the_fused_embedding(weight, dim):
    model = build_model(solo_config(FUSION_WEIGHT=weight))
    head = model.embedding_head.eval()
    features, size = model.eval().extract_features([labeled()["image"]])
    masks = [Instances(size, pred_masks=torch.rand(3, *size))]
    (embeddings,) = head.embed(features, masks, size)
    assert embeddings.shape == (3, dim)
    image, video = (F.normalize(h.embed(features, masks, size)[0]) for h in (head.image_head, head.video_head))
    expected = {0.0: image, 1.0: torch.cat([image, video], 1), math.inf: video}[weight]
    torch.testing.assert_close(embeddings, expected)


def test_a_negative_fusion_weight_is_refused():
    for weight in (-1.0, math.nan):
        with pytest.raises(ValueError, match="FUSION_WEIGHT"):
            build_model(solo_config(FUSION_WEIGHT=weight))


def test_weights_of_an_image_stage_miss_the_video_head_only():
    image_stage = build_model(solo_config(ENABLED=False))
    model = build_model(solo_config())
    result = model.load_state_dict(image_stage.state_dict(), strict=False)
    assert result.unexpected_keys == []
    assert {name.split(".")[1] for name in result.missing_keys} == {"video_head"}
    for name, weight in image_stage.embedding_head.state_dict().items():
        assert torch.equal(model.embedding_head.image_head.state_dict()[name], weight)
    assert model.load_state_dict(model.state_dict()).missing_keys == []


def test_head_options_change_the_video_head_alone():
    head = build_model(solo_config(HEAD_OPTIONS=["DIM", 4, "READOUT", "mask"])).embedding_head
    assert (head.image_head.branches[0][0].out_channels, head.video_head.branches[0][0].out_channels) == (8, 4)


@pytest.mark.parametrize("freeze", [[], ["backbone"], ["image_head"], ["detector", "image_head"]])
@pytest.mark.parametrize("kind", ["images", "video", "both"])
def test_gradients_reach_what_is_trainable_and_nothing_else(freeze, kind):
    """Every parameter that trains has a gradient in every step, as DistributedDataParallel expects."""
    model = build_model(solo_config(FREEZE=freeze, OBJECTIVE="tracklet")).train()
    batch = [labeled(), labeled((3, 4))] * (kind != "video") + clips() * (kind != "images")
    losses = model(batch)
    expected = set(VIDEO_LOSSES["tracklet"])
    if kind != "video":
        expected |= IMAGE_LOSSES - {n for n in IMAGE_LOSSES if "embed" in n and "image_head" in freeze}
        expected -= {"loss_category", "loss_mask"} & expected if "detector" in freeze else set()
    assert set(losses) == expected
    sum(losses.values()).backward()
    for name, parameter in model.named_parameters():
        is_backbone, is_image_head = name.startswith("backbone"), "image_head" in name
        is_frozen = (
            (is_image_head and "image_head" in freeze)
            or (is_backbone and {"backbone", "detector"} & set(freeze))
            or (name.startswith("head") and "detector" in freeze)
        )
        assert (parameter.grad is None) == bool(is_frozen), name
    video = model.embedding_head.video_head.branches[0][0].weight.grad
    assert bool(video.any()) == (kind != "images")
    if kind == "video" and not freeze:
        assert not any(p.grad.any() for p in model.backbone.parameters())  # BACKPROP_TO_FEATURES is off


def test_video_gradients_may_reach_the_features():
    model = build_model(solo_config(FREEZE=[], BACKPROP_TO_FEATURES=True, OBJECTIVE="tracklet")).train()
    sum(model(clips()).values()).backward()
    assert any(p.grad.any() for p in model.backbone.parameters())
    assert not any(p.grad.any() for p in model.embedding_head.image_head.parameters())


@pytest.mark.parametrize("readout", ["mask", "cell"])
@pytest.mark.parametrize("objective", OBJECTIVES)
def test_each_objective_is_learnt_and_the_rest_stays(objective, readout):
    cfg = solo_config(OBJECTIVE=objective)
    if readout == "cell":
        use_cells(cfg)
    cfg.MODEL.VIDEO_EMBEDDING.RANDOM_WALK.EDGE_DROPOUT = 0.0
    cfg.MODEL.VIDEO_EMBEDDING.CORRESPONDENCE.MAX_COLOR_LOSS = 0.0  # pairs that get better would come in
    model = build_model(cfg).train()
    frozen = {name: x.clone() for name, x in model.state_dict().items() if "video_head" not in name}
    optimizer = torch.optim.Adam([p for p in model.parameters() if p.requires_grad], lr=0.01)
    batch = clips(2 if objective == "correspondence" else 3)
    totals = []
    for _ in range(12):
        losses = model(batch)
        assert set(losses) == VIDEO_LOSSES[objective]
        totals.append(sum(losses.values()))
        optimizer.zero_grad()
        totals[-1].backward()
        optimizer.step()
    assert totals[-1] < 0.97 * totals[0]
    after = model.state_dict()
    assert all(torch.equal(after[name], x) for name, x in frozen.items())
    assert not model.backbone.training and model.embedding_head.video_head.training


def test_correspondence_is_that_of_the_loss():
    """Weights, levels, colors and the order of the frames: against the loss itself."""
    cfg = solo_config()
    model = build_model(cfg).train()
    batch = clips(2)
    losses = model(batch)
    head = model.embedding_head
    features, _ = model.extract_features([x[k] for x in batch for k in ("image", "reference_image")])
    (maps,) = head.video_head.dense_maps(features, [1])
    assert maps.shape[2:] == (SIZE[0] // 8, SIZE[1] // 8)
    terms = video_correspondence_loss(
        maps[::2],
        maps[1::2],
        torch.stack([x["colors"] for x in batch]),
        torch.stack([x["reference_colors"] for x in batch]),
        channel_weights=[1, 10, 10],
        max_color_loss=2.5,
        window=8,
        cycle="probability",
    )
    expected = torch.stack(list(terms)) * torch.tensor([1, 0.1, 0.3, 0.1])
    names = ["loss_video_color", "loss_video_reverse_color", "loss_video_concentration", "loss_video_cycle"]
    torch.testing.assert_close(torch.stack([losses[name] for name in names]), expected)


@pytest.mark.parametrize("objective", ["correspondence", "random_walk"])
@pytest.mark.parametrize("levels", [[0, 2, 3], []])
def test_levels_are_averaged(objective, levels):
    """[] is all. Each level's loss is what it is alone, whatever the block size."""

    def losses(levels, block_size=0):
        cfg = use_cells(solo_config(OBJECTIVE=objective, LEVELS=levels, BLOCK_SIZE=block_size))
        cfg.MODEL.VIDEO_EMBEDDING.RANDOM_WALK.EDGE_DROPOUT = 0.0
        torch.manual_seed(0)
        return build_model(cfg).train()(batch)

    batch = clips(2)
    alone = [losses([level]) for level in levels or range(4)]
    assert len({round(x["loss_video_cycle" if objective == "correspondence" else "loss_video_walk"].item(), 4)
                for x in alone}) == len(alone)  # fmt: skip
    expected = {name: torch.stack([x[name] for x in alone]).mean() for name in alone[0]}
    for block_size in (0, 5):
        torch.testing.assert_close(losses(levels, block_size), expected)


def test_every_level_is_trained():
    """Backbone taps have a branch each: the branch of a level that is left out has a gradient of zeros, as
    DistributedDataParallel needs, and so have all in a batch without video."""
    cfg = solo_config(LEVELS=[0, 2], FREEZE=[])
    emb = cfg.MODEL.EMBEDDING
    emb.READOUT, emb.IN_FEATURES = "cell", ["res2", "res3", "res4", "res5"]
    for batch, expected in ((clips(2), [True, False, True, False]), ([labeled()], [False] * 4)):
        model = build_model(cfg).train()
        sum(model([*batch, labeled((3, 4))]).values()).backward()
        assert [name for name, p in model.named_parameters() if p.grad is None] == []
        branches = model.embedding_head.video_head.branches
        assert [bool(branch[0].weight.grad.any()) for branch in branches] == expected


@pytest.mark.parametrize("levels", [[4], [-1], [1, 1]])
def test_wrong_levels_are_refused_when_the_model_is_built(levels):
    with pytest.raises(ValueError, match=r"VIDEO_EMBEDDING\.LEVELS is .*, expected different levels from 0 to 3"):
        build_model(use_cells(solo_config(LEVELS=levels)))


def test_the_former_name_of_the_levels_is_explained():
    with pytest.raises(ConfigError, match=r"renamed to MODEL\.VIDEO_EMBEDDING\.LEVELS.*LEVEL 2 is LEVELS \[2\]"):
        load_config(overrides=["MODEL.VIDEO_EMBEDDING.LEVEL", "2"])


def test_frames_go_through_the_detector_a_few_at_a_time():
    batch, model = clips(3), build_model(solo_config(OBJECTIVE="tracklet")).train()
    losses = model(batch)
    seen = []
    model.backbone.register_forward_pre_hook(lambda _module, inputs: seen.append(len(inputs[0])))
    model.embedding_head.frames_at_a_time = 4
    torch.testing.assert_close(model(batch), losses)
    assert seen == [4, 2]


def test_a_patch_has_no_reverse_colors():
    cfg = solo_config()
    cfg.MODEL.VIDEO_EMBEDDING.CORRESPONDENCE.PATCH_SIZE = 4
    losses = build_model(cfg).train()(clips(2))
    assert losses["loss_video_reverse_color"] == 0
    assert losses["loss_video_color"] > 0


def test_colors_on_a_padded_map():
    """96 x 128 after padding, in cells of 16: colors are means of four, validity ends with the image."""
    sample = video_sample("a")
    sample["valid"] = sample["valid"].clone()
    sample["valid"][0, :2] = False
    colors, valid = VideoClips([sample], torch.device("cpu")).colors((6, 8), (96, 128))
    assert colors.shape == (2, 3, 6, 8) and valid.shape == (2, 6, 8)
    torch.testing.assert_close(colors[1, :, 0, 0], sample["reference_colors"][:, :2, :2].mean((1, 2)))
    torch.testing.assert_close(colors[0, :, 0, 0], sample["colors"][:, 1, :2].mean(1))  # of what is valid
    assert valid[:, :4, :6].all() and not valid[:, 4:].any() and not valid[:, :, 6:].any()


def test_frames_of_one_video_are_known_as_such():
    samples = [video_sample("a", 3), video_sample("b", 3), video_sample("a", 3)]
    found = VideoClips(samples, torch.device("cpu"))
    first, second = found.videos[0], found.videos[3]
    assert first != second and found.videos.tolist() == [first] * 3 + [second] * 3 + [first] * 3
    assert VideoClips(samples[1:], torch.device("cpu")).videos[0] == second  # in another process
    assert found.frames.tolist() == [0, 3, 6] * 3
    assert len(found.images) == 9


def test_a_batch_is_split():
    batch = [labeled(), video_sample("a"), labeled(), video_sample("b", 3)]
    images, video = split_batch(batch)
    assert images == [batch[0], batch[2]] and [x["video_name"] for x in video] == ["a", "b"]


@pytest.mark.parametrize(
    ("samples", "objective", "message"),
    [
        ([video_sample("a", 2), video_sample("b", 3)], "random_walk", r"\[2, 3\] frames"),
        ([video_sample("a", 3, tracklets=False)], "tracklet", "UNLABELED_TRACKLETS"),
    ],
)
def test_wrong_samples_are_named(samples, objective, message):
    with pytest.raises(ValueError, match=message):
        build_model(solo_config(OBJECTIVE=objective)).train()(samples)


def test_frames_without_tracklets_give_a_zero():
    empty = video_sample("a", 3, ids=())
    for objective in ("tracklet", "instance_walk"):
        losses = build_model(solo_config(OBJECTIVE=objective)).train()([empty, empty])
        (loss,) = losses.values()
        assert loss == 0
        loss.backward()


def test_wrong_configurations_are_named():
    with pytest.raises(ValueError, match="OBJECTIVE is 'flow'"):
        build_model(solo_config(OBJECTIVE="flow"))
    with pytest.raises(ValueError, match="FREEZE holds"):
        build_model(solo_config(FREEZE=["neck"]))


def test_unlabeled_video_needs_a_video_head():
    model = build_model(solo_config(ENABLED=False)).train()
    assert not isinstance(model.embedding_head, VideoEmbedding)
    with pytest.raises(ValueError, match=r"VIDEO_EMBEDDING\.ENABLED"):
        model([labeled(), video_sample("a")])
