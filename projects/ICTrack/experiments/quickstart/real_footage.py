"""A real clip, tracked by a published detector: what works before anything is trained, and what the training adds."""

from __future__ import annotations

import itertools
import shlex
import subprocess
import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from detectron2.config import CfgNode
from detectron2.data import transforms as T

from experiments.association.head_bank import HeadBank
from experiments.association.masks import Method
from ictrack.data.video_io import open_frames
from ictrack.engine.setup import load_config
from ictrack.engine.video_tracker import VideoTracker
from ictrack.model_zoo import get_config_file
from ictrack.modeling.embedding import pad_instances
from synthetic.characters import real_clips

# Frames that are tracked.
NUM_FRAMES = 80
# Who is in it, one each.
CLASSES = ("person", "dog")
# Smallest score of a box of the published detector.
_MIN_SCORE = 0.3


def track_real_clip(path: Path, num_frames: int) -> None:
    """Track people, animals and things in the shipped real clip by the command that a user gives, and draw them.

    It runs in a process of its own: the workers that generate data are forked, and must not inherit threads.

    Args:
        path: mp4 to write.
        num_frames: Number of frames after which to stop.

    Raises:
        CalledProcessError: If the command fails.
    """
    arguments = ["track", "--input", str(real_clips()[-1]), "--output", str(path), "--max-frames", str(num_frames)]
    print(f"quick-start: ictrack {shlex.join(arguments)}", flush=True)
    command = [sys.executable, "-W", "ignore", "-m", "ictrack", *arguments]
    subprocess.run(command, check=True)  # noqa: S603  our own command, no shell


@torch.no_grad()
def compare_on_real_clip(
    model: Any,
    bank: HeadBank,
    cfg: CfgNode,
    methods: Sequence[Method],
    scores: Mapping[str, Mapping[str, Any]],
    *,
    num_frames: int | None = None,
    every: int = 8,
) -> dict[str, dict[str, float]]:
    """Identities that each method gives to the woman and the dog of the shipped real clip, of whom there is one each.

    The boxes are those of the published detector, the same for all; the embeddings, of heads that were trained on
    synthetic images.

    Args:
        model: Trained detector, whose features the heads read.
        bank: Heads, by the names of the methods' features.
        cfg: Configuration of the trained model.
        methods: Methods; those on features that are not in the bank are left out.
        scores: Method -> its tuned "threshold".
        num_frames: Number of frames after which to stop; None: all.
        every: Every how many frames are tracked.

    Returns:
        Method -> "identities", 2 at best, and "consistency", the share of detections with the most frequent identity of
        their class.
    """
    published = load_config(str(get_config_file("boxes")), ["MODEL.DEVICE", cfg.MODEL.DEVICE])
    detector = VideoTracker.from_config(published, classes=CLASSES)
    trackers = {
        method.name: (method, method.tracker(cfg, scores[method.name]["threshold"], _MIN_SCORE))
        for method in methods
        if method.feature is None or method.feature in bank.heads
    }
    seen: dict[str, list[tuple[int, int]]] = {name: [] for name in trackers}
    resize = T.ResizeShortestEdge([cfg.INPUT.MIN_SIZE_TEST] * 2, cfg.INPUT.MAX_SIZE_TEST)
    with open_frames(real_clips()[-1]) as frames:
        for _, frame in itertools.islice(frames, 0, num_frames, every):
            found = detector.detect(frame).to("cpu")
            found = found[found.scores >= _MIN_SCORE]
            image = frame[:, :, ::-1] if cfg.INPUT.FORMAT == "RGB" else frame
            image = resize.get_transform(image).apply_image(image)
            tensor = torch.from_numpy(np.ascontiguousarray(image.transpose(2, 0, 1)))
            features, padded_size = model.extract_features([tensor])
            boxes = pad_instances(found, padded_size, image.shape[:2]).to(model.device)
            embeddings = bank.split(bank.embed(features, [boxes], padded_size)[0].cpu())
            for name, (method, tracker) in trackers.items():
                if method.feature is not None:
                    found.embeddings = embeddings[method.feature]
                tracked = tracker.update(found)
                seen[name] += zip(tracked.pred_classes.tolist(), tracked.ID.tolist())
    return {name: _consistency(pairs) for name, pairs in seen.items()}


def _consistency(pairs: Sequence[tuple[int, int]]) -> dict[str, float]:
    """Number of identities, and share of the detections with the most frequent one of their class."""
    counts = Counter(pairs)
    most = {category: max(n for (c, _), n in counts.items() if c == category) for category, _ in counts}
    return {
        "identities": len({identity for _, identity in pairs}),
        "consistency": sum(most.values()) / max(len(pairs), 1),
    }
