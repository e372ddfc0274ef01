"""Conversion of whole files: what is written loads, what does not fit is refused and leaves nothing."""

from pathlib import Path

import numpy as np
import parity_psa
import parity_solo
import pytest
import torch

from ictrack.checkpoint import CheckpointError, SafeCheckpointer, load_tensors
from ictrack.checkpoint.published.adelaidet import ADELAIDET
from ictrack.checkpoint.published.mmdetection import MMDETECTION
from ictrack.checkpoint.published.wxinlong import WXINLONG
from ictrack.engine.convert_weights import convert_file
from ictrack.engine.setup import ConfigError, load_config
from ictrack.modeling.build import build_model
from ictrack.structures.command_line import OutputError

CONFIGS = Path(__file__).resolve().parents[2] / "configs"
# Keys that shrink a leaf of configs/SOLO, and the further ones of SOLOv2.
SMALL = [
    "MODEL.RESNETS.STEM_OUT_CHANNELS", "8", "MODEL.RESNETS.RES2_OUT_CHANNELS", "16",
    "MODEL.RESNETS.WIDTH_PER_GROUP", "4", "MODEL.FPN.OUT_CHANNELS", "16", "MODEL.SOLO.NUM_CLASSES", "5",
    "MODEL.SOLO.CONV_DIM", "8", "MODEL.SOLO.NUM_GROUPS", "4", "MODEL.SOLO.NUM_GRIDS", "[9,7,5,3,2]",
]  # fmt: skip
SMALL_FEATURES = ["MODEL.SOLO.MASK_FEATURES.CONV_DIM", "8", "MODEL.SOLO.MASK_FEATURES.OUT_CHANNELS", "12"]


@pytest.fixture(scope="module")
def solo():
    return parity_solo.published_weights("mmdet3")


@pytest.fixture()
def folder(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return tmp_path


def save(weights, path):
    if path.suffix == ".npz":
        np.savez(path, **{name: x.numpy() for name, x in weights.items()})
    else:
        torch.save({"state_dict": weights}, path)
    return path


def write_config(cfg, path):
    path.write_text(cfg.dump())
    return str(path)


@pytest.mark.parametrize("scheme", ["mmdet3", "wxinlong"])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_the_written_configuration_and_weights_are_the_published_model(scheme, suffix, folder):
    source = save(parity_solo.published_weights(scheme), folder / "in.npz")
    report = convert_file(source, folder / f"out{suffix}")
    assert [path.name for path in report.files] == [f"out{suffix}", "out.yaml"]
    cfg = load_config("out.yaml", ["MODEL.DEVICE", "cpu"])
    model = build_model(cfg)
    SafeCheckpointer(model).load(cfg.MODEL.WEIGHTS)
    expected = parity_solo.tiny_model(scheme).state_dict()
    assert model.state_dict().keys() == expected.keys()
    assert all(torch.equal(x, expected[name]) for name, x in model.state_dict().items())
    assert (cfg.INPUT.FORMAT, cfg.MODEL.PIXEL_STD) == ("RGB", [58.395, 57.12, 57.375])


def test_point_set_anchor(folder):
    source = save(parity_psa.published_weights(), folder / "in.pth")
    report = convert_file(source, folder / "out.safetensors")
    cfg = load_config("out.yaml", ["MODEL.DEVICE", "cpu"])
    model = build_model(cfg)
    SafeCheckpointer(model).load(cfg.MODEL.WEIGHTS)
    expected = parity_psa.tiny_model().state_dict()
    assert all(torch.equal(x, expected[name]) for name, x in model.state_dict().items())
    unused = [line for line in report.lines() if line.startswith("deliberately unused")]
    # In each head: 2 further levels of 9 shared tensors (aligned convolution, norm, output in each of 3 branches:
    # 5 tensors a branch), and 3 levels of 3 tensors that are never used.
    assert unused == ["deliberately unused: bbox_head 39, extra_heads 39"]


def test_half_precision_becomes_the_model_s(solo, folder):
    source = save({name: x.half() if x.is_floating_point() else x for name, x in solo.items()}, folder / "in.npz")
    convert_file(source, folder / "out.pth")
    written = load_tensors(folder / "out.pth")
    assert {x.dtype for x in written.values()} == {torch.float32}
    assert torch.equal(written["head.category_output.bias"], solo["mask_head.conv_cls.bias"])


def test_there_and_back(solo, folder):
    source = save(solo, folder / "in.pth")
    convert_file(source, folder / "ours.pth")
    for given, config in (("ours.pth", "ours.yaml"), ("in.pth", "ours.yaml")):
        report = convert_file(folder / given, folder / "back.pth", config_file=config, target="mmdet")
        back = torch.load(folder / "back.pth", weights_only=True)["state_dict"]
        assert back.keys() == solo.keys() and report.files == [folder / "back.pth"]
        assert all(torch.equal(back[name], x) for name, x in solo.items() if "tracked" not in name)


def test_a_new_embedding_head_is_left_at_its_initialization(solo, folder):
    cfg = parity_solo.tiny_cfg()
    cfg.MODEL.EMBEDDING.NAME = "InstanceEmbeddingHead"
    config = write_config(cfg, folder / "config.yaml")
    report = convert_file(save(solo, folder / "in.pth"), folder / "out.pth", config_file=config)
    number = sum(name.startswith("embedding_head.") for name in build_model(cfg).state_dict())
    assert f"left at initialization: embedding_head {number}" in report.lines()
    assert not any("embedding" in name for name in load_tensors(folder / "out.pth"))
    model = build_model(cfg)
    SafeCheckpointer(model).load("out.pth")
    SafeCheckpointer(model, str(folder)).save("trained")
    report = convert_file(folder / "trained.pth", folder / "mmdet.pth", config_file=config, target="mmdet")
    assert f"deliberately unused: embedding_head {number}" in report.lines()
    assert torch.load("mmdet.pth", weights_only=True)["state_dict"].keys() == solo.keys()


def backbone_of(solo, kind):
    names = {name.removeprefix("backbone."): x for name, x in solo.items() if name.startswith("backbone.")}
    if kind == "torchvision":
        return {**names, "fc.weight": torch.zeros(10, 4), "fc.bias": torch.zeros(10)}
    own = parity_solo.tiny_model().state_dict()
    prefix = {"detectron2": "backbone.", "resnet": "backbone.bottom_up."}[kind]
    return {name.removeprefix(prefix): x for name, x in own.items() if name.startswith(prefix)}


@pytest.mark.parametrize("kind", ["torchvision", "detectron2", "resnet"])
@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_a_backbone_alone_leaves_the_rest(solo, kind, suffix, folder):
    config = write_config(parity_solo.tiny_cfg(), folder / "config.yaml")
    source = save(backbone_of(solo, kind), folder / "in.pth")
    report = convert_file(source, folder / f"out{suffix}", config_file=config)
    pyramid = "" if kind == "detectron2" else "feature pyramid 16, "
    assert f"left at initialization: {pyramid}head 54" in report.lines()
    model = build_model(parity_solo.tiny_cfg())
    SafeCheckpointer(model).load(f"out{suffix}")
    stem = model.state_dict()["backbone.bottom_up.stem.conv1.weight"]
    assert torch.equal(stem, solo["backbone.conv1.weight"])
    with pytest.raises(CheckpointError, match=r"in\.pth: a .* does not tell its detector: name a configuration"):
        convert_file(source, folder / "x.pth")
    with pytest.raises(CheckpointError, match="a backbone alone is no detector of mmdet"):
        convert_file(source, folder / "x.pth", config_file=config, target="mmdet")


def test_a_smaller_resnet_of_torchvision(folder):
    from torchvision.models import resnet18

    source = save(resnet18().state_dict(), folder / "in.pth")
    leaf = CONFIGS / "SOLO" / "solov2_light_R_18_FPN_3x.yaml"
    for kind in ("torchvision", "timm"):
        report = convert_file(source, folder / "out.pth", kind=kind, config_file=str(leaf))
        # 8 blocks of 2 convolutions, 3 shortcuts and the stem, with 5 tensors each.
        assert report.set == {"backbone": 100}
        assert report.initial["feature pyramid"] == 16


@pytest.mark.parametrize(
    ("kind", "leaf"),
    [
        ("mmdet", "decoupled_solo_R_50_FPN_3x"),
        ("wxinlong", "decoupled_solo_light_R_50_FPN_3x"),
        ("mmdet", "solov2_light_R_50_FPN_3x"),
        ("adelaidet", "adelaidet_solov2_R_50_FPN_3x"),
        ("mmdet", "solov2_R_101_DCN_FPN_3x"),
        ("wxinlong", "solov2_R_101_DCN_FPN_3x"),
        ("mmdet", "solov2_light_R_50_DCN_FPN_3x"),
        ("wxinlong", "solov2_light_512_R_50_DCN_FPN_3x"),
        ("wxinlong", "decoupled_solo_light_R_50_DCN_FPN_3x"),
    ],
)
def test_the_family_under_published_names(kind, leaf, folder):
    """Leaves and overrides that shrink them, against random weights of the same size."""
    config = str(CONFIGS / "SOLO" / f"{leaf}.yaml")
    small = [*SMALL, *SMALL_FEATURES] if "solov2" in leaf else SMALL
    cfg = load_config(config, [*small, "MODEL.WEIGHTS", "", "MODEL.DEVICE", "cpu"])
    own = build_model(cfg).state_dict()
    names = {"adelaidet": ADELAIDET, "mmdet": MMDETECTION, "wxinlong": WXINLONG}[kind].table
    save({names.published(name): x for name, x in own.items()}, folder / "in.npz")
    report = convert_file(folder / "in.npz", folder / "out.pth", kind=kind, config_file=config, overrides=small)
    written = load_tensors(folder / "out.pth")
    assert report.initial == {} and written.keys() == own.keys()
    assert all(torch.equal(x, own[name]) for name, x in written.items())
    # The names and shapes alone tell the same model, but for its groups and SOLOv2's grids.
    groups = ["MODEL.SOLO.NUM_GROUPS", "4"]
    convert_file(folder / "in.npz", folder / "auto.pth", overrides=groups)
    sizes = [(x.INPUT.MIN_SIZE_TEST, x.INPUT.MAX_SIZE_TEST) for x in (load_config("auto.yaml"), load_config(config))]
    assert sizes[0] == sizes[1]
    auto, cfg = load_config("auto.yaml").MODEL, load_config(config, small).MODEL
    assert ([40, 36, 24, 16, 12] if "solov2" in leaf else cfg.SOLO.NUM_GRIDS) == auto.SOLO.NUM_GRIDS
    auto.SOLO.NUM_GRIDS, auto.WEIGHTS = cfg.SOLO.NUM_GRIDS, cfg.WEIGHTS
    auto.SOLO.MASK_LOSS_NORMALIZER = cfg.SOLO.MASK_LOSS_NORMALIZER
    assert auto == cfg


def test_a_part_of_a_backbone_is_refused(solo, folder):
    config = write_config(parity_solo.tiny_cfg(), folder / "config.yaml")
    weights = {name: x for name, x in backbone_of(solo, "torchvision").items() if not name.startswith("layer4.2.")}
    with pytest.raises(CheckpointError, match=r"the backbone of SOLO as configured: missing \(15\): .*res5\.2\.conv1"):
        convert_file(save(weights, folder / "in.pth"), folder / "out.pth", config_file=config)
    assert not (folder / "out.pth").exists()


def test_an_hrnet(folder):
    cfg = parity_psa.tiny_cfg()
    config = write_config(cfg, folder / "config.yaml")
    prefix = "backbone.bottom_up.model."
    own = {name[len(prefix) :]: x for name, x in build_model(cfg).state_dict().items() if name.startswith(prefix)}
    source = save({**own, "classifier.weight": torch.zeros(3, 3)}, folder / "in.pth")
    for kind in ("auto", "hrnet", "timm"):
        report = convert_file(source, folder / "out.pth", kind=kind, config_file=config)
        assert report.lines()[2:5] == [
            "set: backbone 558",
            "deliberately unused: classifier 1",
            "left at initialization: feature pyramid 8, heads 84, heatmap_head 28",
        ]


def without(weights, pattern):
    return {name: x for name, x in weights.items() if pattern not in name}


MISFITS = {
    # half a file; another depth; other classes; a foreign tensor
    "half": (lambda w: without(w, "mask_head.mask_convs"), r"missing \(21\): head\.mask_tower\.0\.weight"),
    "no head": (lambda w: without(w, "mask_head."), r"is not published weights|does not tell|missing"),
    "deeper": (
        lambda w: {**w, "backbone.layer3.6.conv1.weight": torch.zeros(64, 128, 1, 1)},
        r"not in the model \(1\): backbone\.bottom_up\.res4\.6\.conv1\.weight",
    ),
    "classes": (
        lambda w: {**w, "mask_head.conv_cls.bias": torch.zeros(5)},
        r"of another shape \(1\): head\.category_output\.bias \(5,\), the model's \(8,\)",
    ),
    "foreign": (lambda w: {**w, "mask_head.new.weight": torch.zeros(1)}, r"mask_head\.new\.weight: unknown"),
    "deformable": (
        lambda w: {**w, "backbone.layer2.0.conv2.conv_offset.weight": torch.zeros(1)},
        r"not in the model \(1\): backbone\.bottom_up\.res3\.0\.conv2\.offset\.weight",
    ),
    "solov2": (
        lambda w: {**without(w, "mask_convs"), "mask_head.kernel_convs.0.conv.weight": torch.zeros(64, 66, 3, 3)},
        r"missing .*; not in the model \(1\): head\.kernel_tower\.0\.weight",
    ),
}


@pytest.mark.parametrize("kind", MISFITS)
def test_what_does_not_fit_is_one_line_and_writes_nothing(solo, kind, folder):
    change, message = MISFITS[kind]
    source = save(change(solo), folder / "in.pth")
    config = write_config(parity_solo.tiny_cfg(), folder / "config.yaml")
    with pytest.raises(CheckpointError, match=rf"in\.pth: .*({message})") as error:
        convert_file(source, folder / "out.pth", config_file=config)
    assert "\n" not in str(error.value) and len(str(error.value)) < 1500
    assert sorted(path.name for path in folder.iterdir()) == ["config.yaml", "in.pth"]


def test_names_of_flags(solo, folder):
    source = save(solo, folder / "in.pth")
    with pytest.raises(ConfigError, match=r"--format caffe: none of auto, .*mmdet"):
        convert_file(source, folder / "out.pth", kind="caffe")
    with pytest.raises(ConfigError, match="--to caffe: none of ictrack, mmdet"):
        convert_file(source, folder / "out.pth", target="caffe")
    with pytest.raises(OutputError, match=r"out\.onnx: must end in"):
        convert_file(source, folder / "out.onnx")
    with pytest.raises(ConfigError, match=r"command line: .*MODEL\.SOLO\.NO"):
        convert_file(source, folder / "out.pth", overrides=["MODEL.SOLO.NO", "1"])


def test_our_own_files_need_their_configuration(solo, folder):
    convert_file(save(solo, folder / "in.pth"), folder / "ours.pth")
    with pytest.raises(CheckpointError, match=r"ours\.pth: a model of ICTrack does not tell its detector"):
        convert_file(folder / "ours.pth", folder / "again.pth")
    report = convert_file(folder / "ours.pth", folder / "again.safetensors", config_file="ours.yaml")
    assert report.source == "model of ICTrack (ictrack)"
