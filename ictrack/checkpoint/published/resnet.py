"""Names of ResNets and of their feature pyramids: torchvision's, mmdetection's, and Detectron2's, which are ours."""

from __future__ import annotations

# torchvision's layer1 is Detectron2's res2.
TORCHVISION_RESNET = [
    ("conv1.weight", "stem.conv1.weight"),
    ("bn1.{leaf}", "stem.conv1.norm.{leaf}"),
    ("layer{stage}.{block}.conv{conv}.weight", "res{stage+1}.{block}.conv{conv}.weight"),
    ("layer{stage}.{block}.bn{conv}.{leaf}", "res{stage+1}.{block}.conv{conv}.norm.{leaf}"),
    ("layer{stage}.{block}.downsample.0.weight", "res{stage+1}.{block}.shortcut.weight"),
    ("layer{stage}.{block}.downsample.1.{leaf}", "res{stage+1}.{block}.shortcut.norm.{leaf}"),
]
# mmdetection's detectors; the pyramid's first convolutions belong to stage 2. Offsets of deformable convolutions are
# "conv2.conv_offset", or "conv2_offset" in early versions.
MMDETECTION_RESNET_FPN = [
    *(
        (
            f"backbone.layer{{stage}}.{{block}}.conv{{conv}}{offset}.{{leaf}}",
            "backbone.bottom_up.res{stage+1}.{block}.conv{conv}.offset.{leaf}",
        )
        for offset in (".conv_offset", "_offset")
    ),
    *((f"backbone.{published}", f"backbone.bottom_up.{ours}") for published, ours in TORCHVISION_RESNET),
    ("neck.lateral_convs.{level}.conv.{leaf}", "backbone.fpn_lateral{level+2}.{leaf}"),
    ("neck.fpn_convs.{level}.conv.{leaf}", "backbone.fpn_output{level+2}.{leaf}"),
]
