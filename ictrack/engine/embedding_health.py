"""Label-free health metrics of embeddings: pure functions, and their logging in training.

Naming convention:
    N, P, Q: embeddings (of cells or of instances), D: embedding dimension, V: pairs of views
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from detectron2.engine import HookBase
from torch import Tensor, nn
from torch.nn import functional as F

from ictrack.modeling.embedding import EmbeddingHead
from ictrack.modeling.embedding.readout import at_rows
from ictrack.modeling.embedding.video_clips import VideoClips

# Penalty of the ridge regression per embedding; embeddings have unit variance.
RIDGE = 1e-3
# Largest number of cells of a view that are measured, evenly spread.
MAX_CELLS = 256


def mean_pairwise_cosine(embeddings: Tensor) -> float:
    """Mean cosine of all pairs of different rows of (N, D); near 1 is a collapse."""
    if len(embeddings) < 2:
        return float("nan")
    total = F.normalize(embeddings.double(), dim=1).sum(dim=0)
    count = len(embeddings)
    return float((total @ total - count) / (count * (count - 1)))


def retrieval_at_1(queries: Tensor, keys: Tensor, correct: Tensor) -> float:
    """Share of queries whose most similar key by cosine is correct, from 0 to 1; NaN without any query.

    Args:
        queries: (P, D) embeddings.
        keys: (Q, D) embeddings.
        correct: (P, Q) bool. Queries without a correct key are ignored.
    """
    counted = correct.any(dim=1)
    if not counted.any():
        return float("nan")
    best = (F.normalize(queries.float(), dim=1) @ F.normalize(keys.float(), dim=1).T).argmax(dim=1)
    return float(correct.gather(1, best[:, None])[counted].float().mean())


def position_readability(embeddings: Tensor, locations: Tensor, held_out: Tensor) -> tuple[float, float]:
    """R^2 of a ridge regression of the locations of cells on their embeddings.

    Args:
        embeddings: (N, D) embeddings of cells.
        locations: (N, 2) x, y of the cells.
        held_out: (N,) bool, True for cells that R^2 is measured on; the regression is fitted on the others.

    Returns:
        R^2 of x and of y, at most 1; 0 or less if embeddings do not encode the location, NaN if either part is empty.
    """
    if held_out.all() or not held_out.any():
        return float("nan"), float("nan")
    x, y = embeddings.double(), locations.double()
    mean, deviation = x[~held_out].mean(dim=0), x[~held_out].std(dim=0, correction=0)
    x = (x - mean) / deviation.clamp(min=1e-9)
    center = y[~held_out].mean(dim=0)
    fitted, target = x[~held_out], y[~held_out] - center
    penalty = RIDGE * len(fitted) * torch.eye(x.shape[1], dtype=x.dtype, device=x.device)
    weights = torch.linalg.solve(fitted.T @ fitted + penalty, fitted.T @ target)
    residual = (y[held_out] - center - x[held_out] @ weights).square().sum(dim=0)
    spread = (y[held_out] - y[held_out].mean(dim=0)).square().sum(dim=0)
    r2 = 1 - residual / spread
    return float(r2[0]), float(r2[1])


def matching_cells(
    first_to_source: Tensor, second_to_source: Tensor, centers: Tensor, cell: tuple[float, float], queries: Tensor
) -> Tensor:
    """(P, Q) bool, True for cells of two views that show the same location of a frame: the center of the first is, in
    the second view, less than a cell's side away from the second's center, in x and in y.

    Args:
        first_to_source, second_to_source: (2, 3) affine maps from pixels of the views to pixels of the frame.
        centers: (Q, 2) x, y in pixels of the centers of the second view's cells.
        cell: (height, width) of a cell in pixels.
        queries: (P, 2) x, y in pixels of the centers of the first view's cells.
    """
    source = queries @ first_to_source[:, :2].T + first_to_source[:, 2]
    seen = torch.linalg.solve(second_to_source[:, :2], (source - second_to_source[:, 2]).T)  # (2, P)
    near_x = (seen[0, :, None] - centers[:, 0]).abs() < cell[1]
    return near_x & ((seen[1, :, None] - centers[:, 1]).abs() < cell[0])


def cell_centers(size: tuple[int, int], cell: tuple[float, float]) -> Tensor:
    """(h * w, 2) x, y in pixels of the centers of cells, row by row."""
    y = (torch.arange(size[0]) + 0.5) * cell[0]
    x = (torch.arange(size[1]) + 0.5) * cell[1]
    return torch.stack(torch.meshgrid(x, y, indexing="xy"), dim=2).flatten(0, 1)


class _MeasuredMap:
    """Cells of all pairs and their retrieval, for one level of one head."""

    def __init__(self) -> None:
        self.cells: list[Tensor] = []  # (N_v, D) of each view, two a pair
        self.locations: list[Tensor] = []  # (N_v, 2)
        self.retrieval: list[float] = []

    def add(self, maps: Tensor, sample: dict[str, Any], clips: VideoClips, padded_size: tuple[int, int]) -> None:
        """Add a pair with maps (2, D, h, w) over ``padded_size``."""
        full = (maps.shape[2], maps.shape[3])
        valid = clips.colors(full, padded_size)[1].flatten(1)  # (2, h w), False in the padding
        cell = (padded_size[0] / full[0], padded_size[1] / full[1])
        centers = cell_centers(full, cell).to(maps)
        flat = maps.flatten(2).transpose(1, 2)  # (2, h w, D)
        chosen = [v.nonzero().squeeze(1) for v in valid]
        chosen = [index[:: -(-len(index) // MAX_CELLS) or 1] for index in chosen]
        self.cells += [flat[view, index] for view, index in enumerate(chosen)]
        self.locations += [centers[index] for index in chosen]
        if sample["frame_indices"][0] == sample["frame_indices"][1]:
            mapping = [sample[key].to(maps) for key in ("image_to_source", "reference_image_to_source")]
            correct = matching_cells(mapping[0], mapping[1], centers[valid[1]], cell, centers[chosen[0]])
            self.retrieval.append(retrieval_at_1(flat[0, chosen[0]], flat[1, valid[1]], correct))

    def metrics(self) -> dict[str, float]:
        cells = torch.cat(self.cells)
        odd = [torch.full((len(x),), view // 2 % 2 == 1, device=x.device) for view, x in enumerate(self.cells)]
        x, y = position_readability(cells, torch.cat(self.locations), torch.cat(odd))
        metrics = {
            "mean_cosine": mean_pairwise_cosine(cells),
            "mean_norm": float(cells.norm(dim=1).mean()),
            "position_r2_x": x,
            "position_r2_y": y,
        }
        if self.retrieval:
            metrics["cell_retrieval"] = float(torch.tensor(self.retrieval).nanmean())
        return metrics


class _Measured:
    """Levels and instances of all pairs for one head."""

    def __init__(self) -> None:
        self.levels: dict[int, _MeasuredMap] = {}
        self.instances: list[tuple[Tensor, Tensor, Tensor]] = []

    def metrics(self) -> dict[str, float]:
        by_level = {level: measured.metrics() for level, measured in self.levels.items()}
        names = list(next(iter(by_level.values())))
        rows = torch.tensor([[f[name] for name in names] for f in by_level.values()], dtype=torch.float64)
        metrics = dict(zip(names, rows.nanmean(dim=0).tolist()))
        if self.instances:
            embeddings, ids, second = (torch.cat(parts) for parts in zip(*self.instances))
            same = (ids[~second][:, None] == ids[second]).all(dim=2)
            metrics["instance_retrieval"] = retrieval_at_1(embeddings[~second], embeddings[second], same)
        if len(by_level) > 1:
            metrics.update({f"{n}_level_{level}": f[n] for level, f in by_level.items() for n in names})
        return metrics


@torch.no_grad()
def heads_health(
    model: Any, heads: Mapping[str, EmbeddingHead], samples: Sequence[dict[str, Any]], levels: Sequence[int] = ()
) -> dict[str, dict[str, float]]:
    """Health metrics of heads on pairs of frames.

    Args:
        model: Detector with ``extract_features``, in evaluation mode.
        heads: Name -> head on the detector's features.
        samples: Pairs of :class:`VideoDatasetMapper`; every other one is held out for the position.
        levels: Levels of the dense maps; empty: all of a head.

    Returns:
        Name of a head -> "mean_cosine" and "mean_norm" of cells; "position_r2_x" and "position_r2_y"; "cell_retrieval"
        (retrieval@1) on pairs of views of one frame; "instance_retrieval" on pairs with tracklets, of instances in
        first frames among those in all second frames. Metrics of cells are means over the levels; with several there
        is also "mean_cosine_level_0" and so on.
    """
    measured = {name: _Measured() for name in heads}
    for pair, sample in enumerate(samples):
        clips = VideoClips([sample], next(model.parameters()).device)
        features, padded_size = model.extract_features(clips.images)
        for name, head in heads.items():
            for level, maps in zip(levels or range(head.num_levels), head.dense_maps(features, levels)):
                measured[name].levels.setdefault(level, _MeasuredMap()).add(maps.float(), sample, clips, padded_size)
            if "tracklets" in sample:
                measured[name].instances.append(_instances(model, head, features, clips, padded_size, pair))
    return {name: kept.metrics() for name, kept in measured.items()}


def _instances(
    model: Any,
    head: EmbeddingHead,
    features: dict[str, Tensor],
    clips: VideoClips,
    padded_size: tuple[int, int],
    pair: int,
) -> tuple[Tensor, Tensor, Tensor]:
    """Embeddings of the tracklets in a pair, (N, 2) pair and tracklet, and (N,) bool, True in the second frame."""
    tracklets = model.locate_ground_truth(head, clips.tracklets(), padded_size)
    embeddings, rows = head.read(features, tracklets, padded_size)
    ids = at_rows([x.gt_ids for x in tracklets], rows)
    return embeddings, torch.stack([torch.full_like(ids, pair), ids], dim=1), rows[:, 0] == 1


class EmbeddingHealthHook(HookBase):
    """Hook that logs :func:`heads_health` of the video head on all its levels as ``health/*``, on the main process.

    Args:
        model: Detector, also if wrapped for data-parallel training.
        samples: Pairs of views.
        period: Iterations between two logs.
    """

    def __init__(self, model: nn.Module, samples: Sequence[dict[str, Any]], period: int) -> None:
        self._model: Any = model.module if hasattr(model, "module") else model
        self._samples = samples
        self._period = period

    def after_step(self) -> None:
        done = self.trainer.iter + 1
        if done % self._period and done != self.trainer.max_iter:
            return
        self._model.eval()
        heads = {"video": self._model.embedding_head.video_head}
        metrics = heads_health(self._model, heads, self._samples)["video"]
        self._model.train()
        self.trainer.storage.put_scalars(**{f"health/{k}": v for k, v in metrics.items()}, smoothing_hint=False)
