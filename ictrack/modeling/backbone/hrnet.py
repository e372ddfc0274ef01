"""HRNet (Wang et al., TPAMI 2020) and its feature pyramid HRFPN as Detectron2 backbones."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar

import torch
from detectron2.config import CfgNode
from detectron2.layers import Conv2d, ShapeSpec
from detectron2.modeling import BACKBONE_REGISTRY, Backbone
from torch import Tensor, nn
from torch.nn import functional as F

from ictrack.modeling.tracing import is_exported

from .folded import FoldedForward
from .timm_weights import PretrainedWeightsError, imagenet_weights, read_state_dict

T = TypeVar("T")

# Parts of an ImageNet classifier that a detector does not use.
_CLASSIFIER = ("incre_modules.", "downsamp_modules.", "final_layer.", "classifier.")
# Strides of the four branches.
_STRIDES = (4, 8, 16, 32)


def hrnet_branch_weights(state_dict: Mapping[str, T]) -> dict[str, T]:
    """Entries of an ImageNet HRNet's state dict (name -> tensor) for its four branches.

    Official checkpoints (github.com/HRNet/HRNet-Image-Classification) and timm's have the same names.
    """
    return {name: x for name, x in state_dict.items() if not name.startswith(_CLASSIFIER)}


class HRNet(Backbone):
    """Four branches of an HRNet's last stage: ``res2`` (stride 4, W channels) to ``res5`` (stride 32, 8 W).

    The network is timm's, without the classifier and its widening modules.
    """

    def __init__(
        self,
        *,
        width: int = 48,
        num_modules: Sequence[int] = (1, 1, 4, 3),
        num_blocks: Sequence[int] = (4, 4, 4, 4),
        stage1_width: int = 64,
        in_channels: int = 3,
        norm_eval: bool = False,
        weights: str = "",
    ):
        """
        Args:
            width: W, channels of the finest branch; each coarser branch has twice as many.
            num_modules: Number of modules of each stage; a module ends with an exchange between the branches.
            num_blocks: Residual blocks per branch in a module of each stage.
            stage1_width: Inner channels of the first stage's bottlenecks, whose outputs have four times as many.
            in_channels: Channels of the image.
            norm_eval: Whether BatchNorm uses its stored statistics in training; its affine parameters are still
                trained.
            weights: ImageNet weights: "" (random), "timm" (timm's hub), or a path of an official or timm checkpoint
                (.pth, .safetensors), read without unpickling code.

        Raises:
            PretrainedWeightsError: If tensors are missing, superfluous or of another shape; the message names them and
                the file.
        """
        super().__init__()
        from timm.models.hrnet import HighResolutionNetFeatures  # slow to import

        channels = [width << branch for branch in range(len(_STRIDES))]
        options = {
            f"stage{i}": {
                "num_modules": num_modules[i - 1],
                "num_branches": i,
                "block_type": "BOTTLENECK" if i == 1 else "BASIC",
                "num_blocks": (num_blocks[i - 1],) * i,
                "num_channels": (stage1_width,) if i == 1 else tuple(channels[:i]),
                "fuse_method": "SUM",
            }
            for i in range(1, len(_STRIDES) + 1)
        }
        self.model: Any = HighResolutionNetFeatures(
            {"stem_width": 64, **options}, in_chans=in_channels, feature_location="", out_indices=(1, 2, 3, 4)
        )
        self.norm_eval = norm_eval
        self._folded = FoldedForward(self.model)
        self._out_features = [f"res{i}" for i in range(2, 6)]
        self._out_feature_strides = dict(zip(self._out_features, _STRIDES))
        self._out_feature_channels = dict(zip(self._out_features, channels))
        if weights:
            self._load(weights, width)

    @property
    def size_divisibility(self) -> int:
        return _STRIDES[-1]

    def train(self, mode: bool = True) -> HRNet:
        """Set the training mode; with ``norm_eval`` BatchNorm stays in evaluation mode."""
        super().train(mode)
        self._folded.release()
        if self.norm_eval:
            for module in self.modules():
                if isinstance(module, nn.modules.batchnorm._BatchNorm):
                    module.eval()
        return self

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """(B, C, H, W) images, H and W multiples of 32 -> {"res2": (B, W, H / 4, W / 4), ...}."""
        trains = self.training and not self.norm_eval
        forward = self.model if trains or torch.is_grad_enabled() or is_exported() else self._folded
        return dict(zip(self._out_features, forward(x)))

    def _load(self, weights: str, width: int) -> None:
        if weights == "timm":
            import timm

            try:
                state_dict = timm.create_model(f"hrnet_w{width}", pretrained=True).state_dict()
            except Exception as error:  # the hub's client raises many kinds of errors
                raise PretrainedWeightsError(
                    f'MODEL.HRNET.WEIGHTS "timm": no hrnet_w{width} from timm\'s hub ({_first_line(error)}); give the '
                    'path of an ImageNet checkpoint, "" for random weights, or a trained detector as MODEL.WEIGHTS'
                ) from error
        else:
            state_dict = read_state_dict(Path(weights))
        given, own = hrnet_branch_weights(state_dict), self.model.state_dict()
        problems = [name for name in sorted(given.keys() | own.keys()) if _shape(given, name) != _shape(own, name)]
        if problems:
            listed = "; ".join(f"{n}: {_shape(given, n)}, expected {_shape(own, n)}" for n in problems[:5])
            raise PretrainedWeightsError(
                f"MODEL.HRNET.WEIGHTS: {weights} does not fit this HRNet, {len(problems)} tensors differ: {listed}"
            )
        self.model.load_state_dict(given)


def _first_line(error: Exception) -> str:
    return f"{type(error).__name__}: {str(error).strip().splitlines()[0] if str(error).strip() else ''}"


def _shape(state_dict: Mapping[str, Tensor], name: str) -> tuple[int, ...] | None:
    return tuple(state_dict[name].shape) if name in state_dict else None


class HRFPN(Backbone):
    """Feature pyramid of HRNet detectors, as in PointSetAnchor (github.com/FangyunWei/PointSetAnchor).

    All branches are up-sampled to the finest one's stride, concatenated and reduced by a 1x1 convolution; level i is
    an average pool of 2^i pixels and a 3x3 convolution of stride ``conv_stride``. No normalization, no activation.
    With stride 2 and three levels: ``p3``, ``p4``, ``p5`` at strides 8, 16, 32. Bottom-up features are returned, too.

    Up-sampling and a 1x1 convolution change places: each branch is reduced at its own stride, and the results are added
    up at the finest one, which is an eighth of the products and no map of all channels.
    """

    def __init__(self, bottom_up: Backbone, *, out_channels: int = 256, num_levels: int = 3, conv_stride: int = 2):
        """
        Args:
            bottom_up: Backbone with features from fine to coarse.
            out_channels: Channels of every level.
            num_levels: Number of levels.
            conv_stride: Stride of the levels' convolutions.
        """
        super().__init__()
        self.bottom_up = bottom_up
        shapes = bottom_up.output_shape()
        finest = next(iter(shapes.values()))
        self.in_features = list(shapes)
        self.reduction = Conv2d(sum(shape.channels for shape in shapes.values()), out_channels, kernel_size=1)
        self.outputs = nn.ModuleList(
            Conv2d(out_channels, out_channels, kernel_size=3, stride=conv_stride, padding=1) for _ in range(num_levels)
        )
        for conv in (self.reduction, *self.outputs):
            nn.init.kaiming_uniform_(conv.weight, a=1)
            nn.init.zeros_(conv.bias)
        strides = [finest.stride * conv_stride << level for level in range(num_levels)]
        self._levels = {
            f"p{stride.bit_length() - 1}": ShapeSpec(channels=out_channels, stride=stride) for stride in strides
        }

    @property
    def size_divisibility(self) -> int:
        return max(self.bottom_up.size_divisibility, *(shape.stride for shape in self._levels.values()))

    def output_shape(self) -> dict[str, ShapeSpec]:
        return {**self.bottom_up.output_shape(), **self._levels}

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """(B, C, H, W) images -> bottom-up features and levels by name."""
        taps = self.bottom_up(x)
        branches = [taps[name] for name in self.in_features]
        weights = self.reduction.weight.split([branch.shape[1] for branch in branches], dim=1)
        reduced = F.conv2d(branches[0], weights[0], self.reduction.bias)
        for branch, weight in zip(branches[1:], weights[1:]):
            part = F.conv2d(branch, weight)
            reduced += F.interpolate(part, size=reduced.shape[-2:], mode="bilinear", align_corners=False)
        levels = {
            name: conv(F.avg_pool2d(reduced, 2**level) if level else reduced)
            for level, (name, conv) in enumerate(zip(self._levels, self.outputs))
        }
        return {**taps, **levels}


@BACKBONE_REGISTRY.register()
def build_hrnet_backbone(cfg: CfgNode, input_shape: ShapeSpec) -> HRNet:
    """HRNet of cfg.MODEL.HRNET: res2 to res5. See :func:`imagenet_weights`."""
    options = cfg.MODEL.HRNET
    return HRNet(
        width=options.WIDTH,
        num_modules=options.NUM_MODULES,
        num_blocks=options.NUM_BLOCKS,
        stage1_width=options.STAGE1_WIDTH,
        in_channels=input_shape.channels,
        norm_eval=options.NORM_EVAL,
        weights=imagenet_weights(cfg, options.WEIGHTS),
    )


@BACKBONE_REGISTRY.register()
def build_hrnet_hrfpn_backbone(cfg: CfgNode, input_shape: ShapeSpec) -> HRFPN:
    """HRNet of cfg.MODEL.HRNET with an HRFPN: p3, p4, p5, and res2 to res5."""
    options = cfg.MODEL.HRNET
    return HRFPN(
        build_hrnet_backbone(cfg, input_shape),
        out_channels=options.FPN_CHANNELS,
        num_levels=options.FPN_LEVELS,
        conv_stride=options.FPN_CONV_STRIDE,
    )
