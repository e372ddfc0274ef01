"""SOLOv2 of AdelaiDet (github.com/aim-uofa/AdelaiDet), on Detectron2 and its ResNet of Microsoft's layout."""

from __future__ import annotations

from .name_table import NameTable
from .source import Source


def _tower(published: str, conv: str, norm: str, ours: str) -> list[tuple[str, str]]:
    """Rows of convolutions and their GroupNorm, which are entries of one sequence."""
    return [
        (f"{published}.{conv}.weight", f"{ours}.weight"),
        (f"{published}.{norm}.{{leaf}}", f"{ours}.norm.{{leaf}}"),
    ]


ADELAIDET = Source(
    formats=("adelaidet",),
    title="SOLOv2 of AdelaiDet",
    marks=r"ins_head\.|mask_head\.(convs_all_levels|conv_pred)",
    table=NameTable(
        [
            ("backbone.{rest}", "backbone.{rest}"),
            # Each convolution is followed by its normalization and its activation.
            *_tower("ins_head.cate_tower", "{3*conv}", "{3*conv+1}", "head.category_tower.{conv}"),
            ("ins_head.cate_pred.{leaf}", "head.category_output.{leaf}"),
            *_tower("ins_head.kernel_tower", "{3*conv}", "{3*conv+1}", "head.kernel_tower.{conv}"),
            ("ins_head.kernel_pred.{leaf}", "head.kernel_output.{leaf}"),
            *_tower(
                "mask_head.convs_all_levels.{level}.conv{conv}", "0", "1", "head.mask_features.levels.{level}.{conv}"
            ),
            *_tower("mask_head.conv_pred", "0", "1", "head.mask_features.output"),
        ]
    ),
    # In AdelaiDet's checkpoints of the whole model; the configuration has them.
    unused=r"pixel_(mean|std)",
    settings={
        "INPUT.FORMAT": "BGR",
        "MODEL.PIXEL_MEAN": [103.53, 116.28, 123.675],
        "MODEL.PIXEL_STD": [1.0, 1.0, 1.0],
        "MODEL.RESNETS.STRIDE_IN_1X1": True,
        "MODEL.SOLO.SHRINK_PADDED_MASKS": False,
    },
)
