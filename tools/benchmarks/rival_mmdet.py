"""Inference of mmdetection's SOLO in an environment of its own: python -m benchmarks.rival_mmdet FOLDER CONFIG REPEATS.

Reads ``image.npz`` and ``theirs.pth`` of the folder, and writes ``theirs.npz`` with scores, classes and masks.
"""

from __future__ import annotations

import sys
import time
import types
from pathlib import Path
from typing import Any

import numpy as np
import torch

from .measure import finish_measured


class _NoOperators(types.ModuleType):
    """Stand-in for mmcv's compiled operators, which are named on import and not called by SOLO."""

    def __getattr__(self, name: str) -> Any:
        if name.startswith("__"):
            raise AttributeError(name)
        return None


def main(folder: Path, config: str, repeats: int) -> None:
    sys.modules["mmcv._ext"] = _NoOperators("mmcv._ext")
    import mmdet
    from mmdet.registry import MODELS
    from mmdet.structures import DetDataSample
    from mmdet.utils import register_all_modules
    from mmengine.config import Config

    torch.set_num_threads(1)
    register_all_modules()
    cfg = Config.fromfile(str(Path(mmdet.__file__).parent / ".mim" / "configs" / config)).model
    cfg.backbone.init_cfg = None
    model = MODELS.build(cfg).eval()
    weights = torch.load(folder / "theirs.pth", weights_only=True)["state_dict"]
    missing, unexpected = model.load_state_dict(weights, strict=False)
    assert not unexpected and all(name.endswith("num_batches_tracked") for name in missing), (missing, unexpected)
    arrays = np.load(folder / "image.npz")
    image, size = torch.from_numpy(arrays["image"]), tuple(arrays["size"].tolist())
    sample = DetDataSample(
        metainfo={
            "img_shape": size,
            "ori_shape": size,
            "pad_shape": tuple(image.shape[2:]),
            "batch_input_shape": tuple(image.shape[2:]),
            "scale_factor": (1.0, 1.0),
        }
    )
    seconds = []
    with torch.no_grad():
        for _ in range(repeats + 1):  # the first one is not measured
            start = time.process_time()
            found = model.predict(image, [sample.clone()], rescale=True)[0].pred_instances
            seconds.append(time.process_time() - start)
    masks = np.packbits(found.masks.numpy().astype(bool))
    np.savez(folder / "theirs.npz", scores=found.scores.numpy(), classes=found.labels.numpy(), masks=masks)
    finish_measured({"seconds": seconds[1:]})


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]))
