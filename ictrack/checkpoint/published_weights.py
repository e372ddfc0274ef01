"""Conversion of published models' weights to the names in ICTrack.

SOLO v1 is published under two naming schemes: github.com/WXinlong/SOLO, and mmdetection 3. Both use torchvision's names
in the ResNet and the same names in the FPN; they differ in the head.

PointSetAnchor for poses is published by github.com/FangyunWei/PointSetAnchor, with the official names in the HRNet.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping

import torch
from torch import Tensor, nn

from .weights_file import CheckpointError, load_weights_file

# (pattern of a published name, name in ICTrack, offset). {n} in the name is the pattern's group n plus the offset:
# torchvision's layer1 is Detectron2's res2, the FPN's first convolutions belong to stage 2.
_BLOCK = r"backbone\.layer(?P<n>[1-4])\.(?P<block>\d+)"
_OUR_BLOCK = "backbone.bottom_up.res{n}.{block}"
_MASK_TOWER = r"(?:bbox_head\.ins_convs|mask_head\.mask_convs)\.(?P<n>\d+)"
_CATEGORY_TOWER = r"(?:bbox_head\.cate_convs|mask_head\.cls_convs)\.(?P<n>\d+)"
_LEAF = r"(?P<leaf>\w+)"
_SOLO_NAMES = [
    (r"backbone\.conv1\.weight", "backbone.bottom_up.stem.conv1.weight", 0),
    (rf"backbone\.bn1\.{_LEAF}", "backbone.bottom_up.stem.conv1.norm.{leaf}", 0),
    (rf"{_BLOCK}\.conv(?P<conv>[1-3])\.weight", f"{_OUR_BLOCK}.conv{{conv}}.weight", 1),
    (rf"{_BLOCK}\.bn(?P<conv>[1-3])\.{_LEAF}", f"{_OUR_BLOCK}.conv{{conv}}.norm.{{leaf}}", 1),
    (rf"{_BLOCK}\.downsample\.0\.weight", f"{_OUR_BLOCK}.shortcut.weight", 1),
    (rf"{_BLOCK}\.downsample\.1\.{_LEAF}", f"{_OUR_BLOCK}.shortcut.norm.{{leaf}}", 1),
    (rf"neck\.lateral_convs\.(?P<n>\d)\.conv\.{_LEAF}", "backbone.fpn_lateral{n}.{leaf}", 2),
    (rf"neck\.fpn_convs\.(?P<n>\d)\.conv\.{_LEAF}", "backbone.fpn_output{n}.{leaf}", 2),
    (rf"{_MASK_TOWER}\.conv\.weight", "head.mask_tower.{n}.weight", 0),
    (rf"{_MASK_TOWER}\.gn\.{_LEAF}", "head.mask_tower.{n}.norm.{leaf}", 0),
    (rf"{_CATEGORY_TOWER}\.conv\.weight", "head.category_tower.{n}.weight", 0),
    (rf"{_CATEGORY_TOWER}\.gn\.{_LEAF}", "head.category_tower.{n}.norm.{leaf}", 0),
    (
        rf"(?:bbox_head\.solo_ins_list|mask_head\.conv_mask_list)\.(?P<n>\d+)\.{_LEAF}",
        "head.mask_outputs.{n}.{leaf}",
        0,
    ),
    (rf"(?:bbox_head\.solo_cate|mask_head\.conv_cls)\.{_LEAF}", "head.category_output.{leaf}", 0),
]
# The first stage's head is bbox_head, further ones are extra_heads.n.
_STAGE = r"(?:bbox_head|extra_heads\.(?P<n>\d+))"
_PSA_NAMES = [
    (r"backbone\.(?P<rest>.+)", "backbone.bottom_up.model.{rest}", 0),
    (rf"neck\.reduction_conv\.conv\.{_LEAF}", "backbone.reduction.{leaf}", 0),
    (rf"neck\.fpn_convs\.(?P<n>\d)\.conv\.{_LEAF}", "backbone.outputs.{n}.{leaf}", 0),
    *(
        (rf"{_STAGE}\.{published}{leaf}", f"heads.{{n}}.{branch}_branch.{ours}", 1)
        for branch, tower, suffix in [
            ("class", "pre_cls_convs", "cls"),
            ("point", "pre_reg_convs", "reg"),
            ("box", "pre_reg_bbx_convs", "reg_bbx"),
        ]
        for published, leaf, ours in [
            (rf"{tower}\.(?P<conv>\d+)\.conv\.", "weight", "tower.{conv}.weight"),
            (rf"{tower}\.(?P<conv>\d+)\.gn\.", _LEAF, "tower.{conv}.norm.{leaf}"),
            (rf"shape_align_conv_list_{suffix}\.0\.0\.", "weight", "aligned.weight"),
            (rf"norm_list_{suffix}\.0\.0\.", _LEAF, "norm.{leaf}"),
            (rf"conv_{suffix}_list\.0\.0\.", _LEAF, "output.{leaf}"),
        ]
    ),
    *(
        (rf"heat_head\.{published}\.{_LEAF}", f"heatmap_head.{branch}.{ours}.{{leaf}}", 0)
        for branch, convs, suffix, output in [
            ("heatmap", "heat_convs", "", "hm_out_layer_convs"),
            ("offset", "offset_convs", "_offset", "offset_out_layer_convs"),
        ]
        for published, ours in [
            (rf"{convs}\.0\.0\.conv", "0"),
            (rf"{convs}\.0\.0\.bn", "0.norm"),
            (rf"deconv_layers{suffix}\.0", "1"),
            (rf"deconv_layers{suffix}\.1", "2"),
            (rf"{output}\.0", "4"),
        ]
    ),
]
# The levels share their weights, and the checkpoint holds a copy for each level. Two lists of modules are never used.
_PSA_TIED = re.compile(
    rf"({_STAGE}\.(?:shape_align_conv|norm|conv)\w*_list(?:_(?:cls|reg|reg_bbx))?)\.[1-9]\d*(\.0\.\w+)".replace(
        "?P<n>", "?:"
    )
)
_PSA_UNUSED = re.compile(rf"{_STAGE}\.(?:shape_align_conv_list|norm_list)\.\d+\.0\.\w+")


def _our_name(published: str, table: list[tuple[str, str, int]]) -> str | None:
    for pattern, ours, offset in table:
        match = re.fullmatch(pattern, published)
        if match:
            groups = match.groupdict()
            if "n" in groups:
                groups["n"] = str(int(groups["n"]) + offset if groups["n"] else 0)
            return ours.format(**groups)
    return None


def solo_name(published: str) -> str | None:
    """Name in ICTrack of a tensor of a published SOLO v1 (ResNet + FPN); None for an unknown one."""
    return _our_name(published, _SOLO_NAMES)


def psa_name(published: str) -> str | None:
    """Name in ICTrack of a tensor of a published PointSetAnchor for poses; None for copies, unused and unknown ones."""
    return _our_name(published, _PSA_NAMES)


def is_published_solo(state_dict: Mapping[str, Tensor]) -> bool:
    """Whether the tensors have the names of a published SOLO v1's head."""
    return any(name.startswith(("bbox_head.solo_ins_list", "mask_head.conv_mask_list")) for name in state_dict)


def is_published_psa(state_dict: Mapping[str, Tensor]) -> bool:
    """Whether the tensors have the names of a published PointSetAnchor for poses."""
    return any(name.startswith("bbox_head.shape_align_conv_list") for name in state_dict)


def convert_solo_weights(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the tensors of a published SOLO v1 to the names of :class:`ictrack.modeling.solo.SOLO`.

    Args:
        state_dict: Tensors by WXinlong's or mmdetection 3's names.

    Raises:
        CheckpointError: names are in neither scheme; the message lists them.
    """
    names = {name: solo_name(name) for name in state_dict}
    unknown = [name for name, ours in names.items() if ours is None]
    if unknown:
        raise CheckpointError(f"not a published SOLO v1, unknown tensors: {', '.join(unknown)}")
    return {ours: state_dict[name] for name, ours in names.items() if ours is not None}


def convert_psa_weights(state_dict: Mapping[str, Tensor]) -> dict[str, Tensor]:
    """Rename the tensors of a published PointSetAnchor to those of
    :class:`ictrack.modeling.point_set_anchor.PointSetAnchor`.

    Args:
        state_dict: Tensors by the published names.

    Raises:
        CheckpointError: names are unknown, or levels differ from the first; the message lists them.
    """
    result, problems = {}, []
    for name, x in state_dict.items():
        ours, tied = psa_name(name), _PSA_TIED.fullmatch(name)
        if ours is not None:
            result[ours] = x
        elif tied:
            first = state_dict.get(f"{tied[1]}.0{tied[2]}")
            if first is None or not torch.equal(first, x):
                problems.append(f"{name}: not equal to level 0")
        elif not _PSA_UNUSED.fullmatch(name):
            problems.append(f"{name}: unknown")
    if problems:
        raise CheckpointError("not a published PointSetAnchor for poses:\n  " + "\n  ".join(problems))
    return result


def read_solo_weights(path: str | os.PathLike[str]) -> dict[str, Tensor]:
    """Read a published SOLO v1 checkpoint without running code from it, and rename its tensors.

    Raises:
        CheckpointError: the file cannot be read safely, or is not a SOLO v1; the message names the file.
    """
    content = load_weights_file(path)
    try:
        return convert_solo_weights(content["model"])
    except CheckpointError as error:
        raise CheckpointError(f"{path}: {error}") from error


def load_detector_weights(model: nn.Module, weights: Mapping[str, Tensor]) -> None:
    """Load converted weights into a SOLO or a PointSetAnchor; an embedding head is left unchanged.

    Args:
        model: Detector.
        weights: Result of :func:`convert_solo_weights` or :func:`convert_psa_weights`; counters of training batches are
            skipped if the model's normalization (FrozenBN) has none.

    Raises:
        CheckpointError: tensors are missing, unknown or of another shape; the message lists them all, and the model is
            unchanged.
    """
    own = {name: x for name, x in model.state_dict().items() if not name.startswith("embedding_head.")}
    weights = {name: x for name, x in weights.items() if name in own or not name.endswith(".num_batches_tracked")}
    problems = [f"{name}: not in the model" for name in weights if name not in own]
    problems += [f"{name}: missing" for name in own if name not in weights]
    problems += [
        f"{name}: shape {tuple(x.shape)}, the model has {tuple(own[name].shape)}"
        for name, x in weights.items()
        if name in own and x.shape != own[name].shape
    ]
    if problems:
        raise CheckpointError("weights do not fit the model:\n  " + "\n  ".join(problems))
    model.load_state_dict(dict(weights), strict=False)
