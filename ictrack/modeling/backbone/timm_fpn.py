"""timm models as Detectron2 backbones, with or without a feature pyramid."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from detectron2.config import CfgNode
from detectron2.layers import ShapeSpec
from detectron2.modeling import BACKBONE_REGISTRY, Backbone
from detectron2.modeling.backbone import FPN
from torch import Tensor, nn
from torch.nn import functional as F

from ..mixed_precision import autocast
from .folded import FoldedForward
from .same_padding import pad_by_constants
from .timm_weights import imagenet_weights, load_statistics, load_timm_state_dict


class TimmBackbone(Backbone):
    """Feature taps of a timm model: ``res2`` at stride 4, ``res3`` at stride 8, and so on.

    timm normalizes pixels of range 0 to 1, Detectron2 pixels of range 0 to 255: set MODEL.PIXEL_MEAN and PIXEL_STD to
    255 times the mean and std of the timm model's ``default_cfg`` (tf_efficientnet_lite0: 127.5 and 127.5), and
    INPUT.FORMAT to "RGB".
    """

    model: Any  # timm's feature extractors share no declared type

    def __init__(
        self,
        name: str,
        *,
        weights: str = "",
        out_strides: Sequence[int] = (4, 8, 16, 32),
        in_channels: int = 3,
        freeze: bool = False,
        statistics: str = "",
        autocast: bool = False,
    ):
        """
        Args:
            name: Name of a timm model with ``features_only`` and channels-first maps.
            weights: "" (random), "timm" (timm's hub), or weights of :func:`load_timm_state_dict`.
            out_strides: Strides of the taps, ascending powers of two.
            in_channels: Channels of the image.
            freeze: Whether to freeze the timm model, in evaluation mode, and normalize its taps by a BatchNorm without
                affine parameters, so that heads need not know their scales.
            statistics: File with the means and variances of the taps, under the names of :attr:`norms`; "": 0 and 1
                until they are measured in training.
            autocast: Whether to run the frozen model in bfloat16 where the hardware has it; taps are float32.

        Raises:
            PretrainedWeightsError: If weights cannot be found or do not fit.
            ValueError: If the model lacks a stride, or for autocast without freeze.
        """
        super().__init__()
        import timm  # slow to import

        if autocast and not freeze:
            raise ValueError("MODEL.TIMM.AUTOCAST needs MODEL.TIMM.FREEZE; for a trained model use SOLVER.AMP")
        options: dict = {"features_only": True, "in_chans": in_channels}
        if weights == "timm":
            options["pretrained"] = True
        elif weights:
            state_dict = load_timm_state_dict(name, weights)
            options |= {"pretrained": True, "pretrained_cfg_overlay": {"state_dict": state_dict, "custom_load": False}}
        every_tap: Any = timm.create_model(name, features_only=True)
        strides = every_tap.feature_info.reduction()
        if missing := [s for s in out_strides if s not in strides]:
            raise ValueError(f"MODEL.TIMM.OUT_STRIDES {missing} are not among timm model {name}'s strides {strides}")
        with _no_warnings_of("timm.models._builder"):  # about the unused classifier
            self.model = timm.create_model(name, out_indices=[strides.index(s) for s in out_strides], **options)
        pad_by_constants(self.model)

        self._out_features = [f"res{s.bit_length() - 1}" for s in out_strides]
        self._out_feature_strides = dict(zip(self._out_features, out_strides))
        self._out_feature_channels = dict(zip(self._out_features, self.model.feature_info.channels()))
        self._size_divisibility = max(out_strides)
        self.freeze = freeze
        self.autocast = autocast
        if freeze:
            self.model.requires_grad_(False).eval()
            self.model.forward = FoldedForward(self.model)
            self.norms = nn.ModuleList(
                nn.BatchNorm2d(self._out_feature_channels[f], affine=False) for f in self._out_features
            )
            if statistics:
                load_statistics(self.norms, statistics)
        elif statistics:
            raise ValueError("MODEL.TIMM.STATISTICS needs MODEL.TIMM.FREEZE")

    @property
    def size_divisibility(self) -> int:
        return self._size_divisibility

    def train(self, mode: bool = True) -> TimmBackbone:
        """Set the training mode; a frozen timm model stays in evaluation mode."""
        super().train(mode)
        if self.freeze:
            self.model.eval()
        return self

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """
        Args:
            x: (B, C, H, W) normalized images; H and W are multiples of ``size_divisibility``.

        Returns:
            Feature name -> (B, C_l, H / stride, W / stride).
        """
        if not self.freeze:
            return dict(zip(self._out_features, self.model(x)))
        with torch.no_grad(), autocast(x.device.type, self.autocast, torch.bfloat16):
            taps = self.model(x)
        return {name: norm(tap.float().contiguous()) for name, norm, tap in zip(self._out_features, self.norms, taps)}


class FPNWithTaps(Backbone):
    """Feature pyramid that also returns its bottom-up features.

    ``p2``, ... are for the detector; ``res2``, ... for heads that must not depend on the training of the pyramid, such
    as a linear embedding head on frozen features.
    """

    def __init__(
        self,
        bottom_up: Backbone,
        *,
        in_features: Sequence[str] = (),
        out_channels: int = 256,
        norm: str = "",
        fuse_type: str = "sum",
        num_extra_levels: int = 1,
    ):
        """
        Args:
            bottom_up: Backbone of the taps.
            in_features: Names of the taps that enter the pyramid, fine to coarse; all by default.
            out_channels, norm, fuse_type: See Detectron2's :class:`FPN`.
            num_extra_levels: Number of coarser levels, each every other pixel of the one before, as Detectron2's p6.
        """
        super().__init__()
        shapes = bottom_up.output_shape()
        in_features = list(in_features) or list(shapes)
        top = f"p{shapes[in_features[-1]].stride.bit_length() - 1}"
        self.bottom_up = bottom_up
        self.fpn = FPN(
            _GivenFeatures(shapes),
            in_features,
            out_channels,
            norm=norm,
            top_block=_SubsampledLevels(top, num_extra_levels) if num_extra_levels else None,
            fuse_type=fuse_type,
        )

    @property
    def size_divisibility(self) -> int:
        return max(self.fpn.size_divisibility, self.bottom_up.size_divisibility)

    def forward(self, x: Tensor) -> dict[str, Tensor]:
        """(B, C, H, W) images -> taps and pyramid levels by name."""
        taps = self.bottom_up(x)
        return {**taps, **self.fpn(taps)}

    def output_shape(self) -> dict[str, ShapeSpec]:
        return {**self.bottom_up.output_shape(), **self.fpn.output_shape()}


class _GivenFeatures(Backbone):
    """Bottom-up network of an FPN whose inputs are features instead of images."""

    def __init__(self, shapes: dict[str, ShapeSpec]):
        super().__init__()
        self._shapes = shapes

    def forward(self, features: dict[str, Tensor]) -> dict[str, Tensor]:
        return features

    def output_shape(self) -> dict[str, ShapeSpec]:
        return self._shapes


class _SubsampledLevels(nn.Module):
    """Top block of a Detectron2 FPN: coarser levels by sub-sampling."""

    def __init__(self, in_feature: str, num_levels: int):
        super().__init__()
        self.in_feature = in_feature
        self.num_levels = num_levels

    def forward(self, x: Tensor) -> list[Tensor]:
        levels = []
        for _ in range(self.num_levels):
            x = F.max_pool2d(x, kernel_size=1, stride=2)
            levels.append(x)
        return levels


@BACKBONE_REGISTRY.register()
def build_timm_backbone(cfg: CfgNode, input_shape: ShapeSpec) -> TimmBackbone:
    """timm model of cfg.MODEL.TIMM: res2, res3, ..."""
    options = cfg.MODEL.TIMM
    return TimmBackbone(
        options.NAME,
        weights=imagenet_weights(cfg, options.WEIGHTS),
        out_strides=options.OUT_STRIDES,
        in_channels=input_shape.channels,
        freeze=options.FREEZE,
        statistics=options.STATISTICS,
        autocast=options.AUTOCAST,
    )


@BACKBONE_REGISTRY.register()
def build_timm_fpn_backbone(cfg: CfgNode, input_shape: ShapeSpec) -> FPNWithTaps:
    """timm model of cfg.MODEL.TIMM with the pyramid of cfg.MODEL.FPN: p2, p3, ..., and res2, res3, ..."""
    return FPNWithTaps(
        build_timm_backbone(cfg, input_shape),
        in_features=cfg.MODEL.FPN.IN_FEATURES,
        out_channels=cfg.MODEL.FPN.OUT_CHANNELS,
        norm=cfg.MODEL.FPN.NORM,
        fuse_type=cfg.MODEL.FPN.FUSE_TYPE,
        num_extra_levels=cfg.MODEL.TIMM.NUM_EXTRA_LEVELS,
    )


@contextmanager
def _no_warnings_of(logger_name: str) -> Iterator[None]:
    logger = logging.getLogger(logger_name)
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        yield
    finally:
        logger.setLevel(level)
