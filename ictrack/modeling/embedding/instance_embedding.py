"""Image embedding head.

Naming convention:
    B: images, N_i: instances of image i, D: embedding dimension, (H_l, W_l): resolution of feature l,
    S_l: cells along each side of the detector's grid on level l
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from detectron2.config import CfgNode, configurable
from detectron2.layers import ShapeSpec
from detectron2.structures import Instances
from torch import Tensor, nn
from torch.nn import functional as F

from ictrack.losses.instance_contrastive import instance_contrastive_loss
from ictrack.modeling.processes import gather_rows, process_ids

from .head import EMBEDDING_HEADS, EmbeddingHead
from .readout import at_rows, cell_readout, image_rows, instance_masks, mask_readout, resize_map

READOUTS = ("cell", "mask")
# Field of Instances with features (N, sum of C_l) already averaged over the masks, in the order of in_features, for
# linear heads that read masks.
POOLED = "pooled_features"
PaddingMode = Literal["zeros", "reflect", "replicate", "circular"]


@EMBEDDING_HEADS.register()
class InstanceEmbeddingHead(EmbeddingHead):
    """Instance embeddings, trained with the instance contrastive loss.

    By default the paper's branch (supplementary of arXiv 2104.00287): four 3x3 convolutions with GroupNorm and ReLU
    and one more to D = 128, shared by all levels. ``num_convs`` 0 gives a linear head, one 1x1 convolution. Features of
    unequal channels, such as backbone taps, have a branch each.

    Read-outs of one embedding an instance:

    * ``"cell"``: every feature is resized to the detector's grid of its level (or a fixed one) before the branch, as in
      SOLO's category branch; an instance is read at the grid cell that detects it, in training at its positive cells
      on all levels.
    * ``"mask"``: mean of the map inside the instance's mask, averaged over the features.

    Negatives are all other instances of the mini-batch, with ``gather_instances`` of that of all processes.
    """

    @configurable
    def __init__(
        self,
        *,
        in_features: Sequence[str],
        input_shape: dict[str, ShapeSpec],
        num_convs: int = 4,
        conv_dim: int = 256,
        num_groups: int = 32,
        dim: int = 128,
        padding_mode: PaddingMode = "zeros",
        readout: str = "cell",
        detector_grids: Sequence[int] = (),
        grid_size: int = 0,
        loss_weight: float = 1.0,
        contrastive_weight: float = 1.0,
        entropy_weight: float = 0.1,
        normalize: bool = False,
        temperature: float = 1.0,
        gather_instances: bool = True,
        backprop_to_features: bool = True,
    ):
        """
        Args:
            in_features: Names of the features to read; for the cell read-out one for each level of the detector.
            input_shape: Shapes of (at least) those features.
            num_convs, conv_dim, num_groups: Number of 3x3 convolutions before the output convolution, their channels,
                and the groups of their GroupNorm.
            dim: D.
            padding_mode: Padding of the 3x3 convolutions, as for ``nn.Conv2d``.
            readout: "cell" or "mask".
            detector_grids: S_l of each in_feature; for the cell read-out only.
            grid_size: Side of every map of the cell read-out; 0 takes ``detector_grids``.
            loss_weight: Weight of all three terms.
            contrastive_weight, entropy_weight: Lambda of Eq. (5), and the weight of the maximum-entropy term.
            normalize, temperature: See :func:`instance_contrastive_loss`.
            gather_instances: Whether instances are compared with those of all processes.
            backprop_to_features: Whether the gradient of the losses passes into the features.
        """
        super().__init__()
        if readout not in READOUTS:
            raise ValueError(f"MODEL.EMBEDDING.READOUT is {readout!r}, expected one of {READOUTS}")
        if missing := [f for f in in_features if f not in input_shape]:
            raise ValueError(f"MODEL.EMBEDDING.IN_FEATURES {missing} are not among the features {list(input_shape)}")
        if readout == "cell" and len(detector_grids) != len(in_features):
            raise ValueError(
                f"MODEL.EMBEDDING.IN_FEATURES are {list(in_features)}; the cell read-out needs a feature for each of "
                f"the detector's {len(detector_grids)} grids"
            )
        self.in_features = list(in_features)
        self.reads = "cells" if readout == "cell" else "masks"
        self.detector_grids = list(detector_grids)
        self.grid_sizes = [grid_size or grid for grid in detector_grids]
        self.contrastive_weight = loss_weight * contrastive_weight
        self.entropy_weight = loss_weight * entropy_weight
        self.center_weight = loss_weight
        self.normalize = normalize
        self.temperature = temperature
        self.gather_instances = gather_instances
        self.backprop_to_features = backprop_to_features
        self.is_linear = num_convs == 0

        channels = self._widths = [input_shape[f].channels for f in self.in_features]
        if len(set(channels)) == 1:
            channels = channels[:1]  # one branch for all levels
        self.branches = nn.ModuleList(_branch(c, num_convs, conv_dim, num_groups, dim, padding_mode) for c in channels)

    @classmethod
    def from_config(cls, cfg: CfgNode, input_shape: dict[str, ShapeSpec]) -> dict:
        emb = cfg.MODEL.EMBEDDING
        return {
            "in_features": emb.IN_FEATURES or list(input_shape),
            "input_shape": input_shape,
            "num_convs": emb.NUM_CONVS,
            "conv_dim": emb.CONV_DIM,
            "num_groups": emb.NUM_GROUPS,
            "dim": emb.DIM,
            "padding_mode": emb.PADDING_MODE,
            "readout": emb.READOUT,
            "detector_grids": cfg.MODEL.SOLO.NUM_GRIDS if emb.READOUT == "cell" else (),
            "grid_size": emb.GRID_SIZE,
            "loss_weight": emb.LOSS_WEIGHT,
            "contrastive_weight": emb.CONTRASTIVE_WEIGHT,
            "entropy_weight": emb.ENTROPY_WEIGHT,
            "normalize": emb.NORMALIZE,
            "temperature": emb.TEMPERATURE,
            "gather_instances": emb.GATHER_INSTANCES,
            "backprop_to_features": emb.BACKPROP_TO_FEATURES,
        }

    def forward(self, features: dict[str, Tensor]) -> list[Tensor]:
        """
        Args:
            features: Name -> (B, C_l, H_l, W_l).

        Returns:
            Map of each in_feature: (B, D, G_l, G_l) for the cell read-out, (B, D, H_l, W_l) for the mask read-out.
        """
        return self._embed_maps(self._inputs(features))

    def losses(
        self, features: dict[str, Tensor], instances: Sequence[Instances], padded_size: tuple[int, int]
    ) -> dict[str, Tensor]:
        """Instance contrastive loss, see :class:`EmbeddingHead`.

        Returns:
            "loss_embed_center" (Eq. 2), "loss_embed_contrast" (Eq. 4) and "loss_embed_entropy".
        """
        embeddings, rows = self.read(features, instances, padded_size)
        ids = at_rows([x.gt_ids for x in instances], rows)
        if self.gather_instances:
            embeddings, ids = gather_rows(embeddings), gather_rows(process_ids(ids))
        terms = instance_contrastive_loss(embeddings, ids, normalize=self.normalize, temperature=self.temperature)
        return {
            "loss_embed_center": self.center_weight * terms.center,
            "loss_embed_contrast": self.contrastive_weight * terms.contrastive,
            "loss_embed_entropy": self.entropy_weight * terms.entropy,
        }

    def read(
        self, features: dict[str, Tensor], instances: Sequence[Instances], padded_size: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        rows = image_rows([len(x) for x in instances], self._device)
        if self.reads == "cells":
            return self._read_cells(features, instances, rows), rows
        if all(x.has(POOLED) for x in instances):
            return self._read_pooled(instances), rows
        masks = self._masks(features, instances)
        present = [m.flatten(1).any(dim=1) for m in masks]
        embeddings = self._embed_masks(self._inputs(features), [m[p] for m, p in zip(masks, present)])
        return embeddings, rows[torch.cat(present)]

    def dense_maps(self, features: dict[str, Tensor], levels: Sequence[int] = ()) -> list[Tensor]:
        maps = self(features)
        chosen = [maps[level] for level in levels or range(len(maps))]
        if self.reads == "cells":
            return chosen
        return [_mean_at(maps, x.shape[-2:]) for x in chosen]

    def embed(
        self, features: dict[str, Tensor], instances: Sequence[Instances], padded_size: tuple[int, int]
    ) -> list[Tensor]:
        if self.reads == "cells":
            rows = image_rows([len(x) for x in instances], self._device)
            embeddings = self._read_cells(features, instances, rows).float()
        elif all(x.has(POOLED) for x in instances):
            embeddings = self._read_pooled(instances)
        else:
            embeddings = self._embed_masks(self._inputs(features), self._masks(features, instances))
        return list(embeddings.split([len(x) for x in instances]))

    @property
    def _device(self) -> torch.device:
        return next(self.parameters()).device

    def _masks(self, features: dict[str, Tensor], instances: Sequence[Instances]) -> list[Tensor]:
        return [instance_masks(x, features[self.in_features[0]].shape[-2:]) for x in instances]

    def _read_cells(self, features: dict[str, Tensor], instances: Sequence[Instances], rows: Tensor) -> Tensor:
        if not all(x.has("grid_cells") for x in instances):
            raise ValueError('MODEL.EMBEDDING.READOUT "cell" needs a detector with a grid (SOLO); set it to "mask"')
        cells = torch.cat([rows[:, :1], torch.cat([x.grid_cells for x in instances])], dim=1)  # (P, 4)
        return cell_readout(self._embed_maps(self._inputs(features)), cells, self.detector_grids)

    def _read_pooled(self, instances: Sequence[Instances]) -> Tensor:
        if not self.is_linear:
            raise ValueError(f"{POOLED} need a linear head, which commutes with averaging: MODEL.EMBEDDING.NUM_CONVS 0")
        return self.embed_pooled(torch.cat([x.get(POOLED) for x in instances]).split(self._widths, dim=1))

    def embed_pooled(self, pooled: Sequence[Tensor]) -> Tensor:
        """(N, D) float32 embeddings by a linear head, from averaged features (N, C_l) of each in_feature."""
        projected = self._project([x[:, :, None, None] for x in pooled])
        return torch.stack([x.flatten(1) for x in projected]).mean(dim=0).float()

    def _inputs(self, features: dict[str, Tensor]) -> list[Tensor]:
        inputs = [features[f] for f in self.in_features]
        return inputs if self.backprop_to_features else [x.detach() for x in inputs]

    def _project(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        """Outputs of each level's branch."""
        shared = len(self.branches) == 1
        return [self.branches[0 if shared else level](x) for level, x in enumerate(inputs)]

    def _embed_maps(self, inputs: Sequence[Tensor]) -> list[Tensor]:
        if self.reads == "cells":
            inputs = [
                F.interpolate(x, size=(side, side), mode="bilinear", align_corners=False)
                for x, side in zip(inputs, self.grid_sizes)
            ]
        return self._project(inputs)

    def _embed_masks(self, inputs: Sequence[Tensor], masks: Sequence[Tensor]) -> Tensor:
        if self.is_linear:
            # The mean and a 1x1 convolution commute: N vectors are projected instead of H x W.
            return self.embed_pooled(mask_readout(inputs, masks))
        pooled = mask_readout(self._project(inputs), masks)
        return torch.stack(pooled).mean(dim=0).float()  # (sum_i N_i, D)


def _mean_at(maps: Sequence[Tensor], size: Sequence[int]) -> Tensor:
    """Mean (B, D, *size) of maps (B, D, H_l, W_l), resized to ``size``."""
    return torch.stack([resize_map(x, size) for x in maps]).mean(dim=0)


def _branch(
    in_channels: int, num_convs: int, conv_dim: int, num_groups: int, dim: int, padding_mode: PaddingMode
) -> nn.Sequential:
    layers: list[nn.Module] = []
    for _ in range(num_convs):
        layers += [
            nn.Conv2d(in_channels, conv_dim, 3, padding=1, padding_mode=padding_mode, bias=False),
            nn.GroupNorm(num_groups, conv_dim),
            nn.ReLU(),
        ]
        in_channels = conv_dim
    kernel_size = 3 if num_convs else 1
    output = nn.Conv2d(in_channels, dim, kernel_size, padding=kernel_size // 2, padding_mode=padding_mode)
    # A common offset would make all instances alike at the start of training.
    nn.init.zeros_(output.get_parameter("bias"))
    return nn.Sequential(*layers, output)
