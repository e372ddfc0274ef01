"""Files of an identification: tracks, trajectories, known identities, a tracker's configuration, the report."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from detectron2.config import CfgNode

from ictrack.identities import Gallery, collect_crops
from ictrack.structures.atomic_file import replacing
from ictrack.structures.frame_tracks import FrameTracks
from ictrack.structures.track_formats import FORMATS, write_tracks
from ictrack.structures.track_formats.fields import every_frame
from ictrack.visualization.identity_report import write_identity_report

from .identify import Identification
from .identity_doubts import report_of
from .online_settings import online_settings
from .settings_file import with_settings

GALLERY_FILE, CONFIG_FILE, REPORT_FILE = "identities.npz", "config.yaml", "report.html"


def write_identification(result: Identification, folder: Path, cfg: CfgNode, track_format: str | None = None) -> Path:
    """Write all files of a result.

    Args:
        result: Result.
        folder: Folder, which is made: ``tracks.*``, ``centroids.csv``, ``trajectories.npy``, ``summary.json``,
            ``report.html``, and where the objects can be told apart, ``identities.npz`` and the ``config.yaml`` by
            which ``ictrack track`` recognizes objects by their looks.
        cfg: Configuration of the detector.
        track_format: Name of the format of the tracks; None: JSON, of YouTube-VIS for masks and of COCO for the rest.

    Returns:
        Path of the tracks.

    Raises:
        TrackFormatError: If the format cannot hold the detections.
        OSError: If a file cannot be written.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tracked = list(every_frame(tracks_of(result)))
    suffix = FORMATS[track_format].suffixes[0] if track_format else ".json"
    path = folder / f"tracks{suffix}"
    write_tracks(path, result.footage.info, tracked, track_format)
    _write_places(result, folder)
    if result.told_apart:
        gallery = _gallery(result)
        gallery.save(folder / GALLERY_FILE)
        _write_config(result, cfg, folder)
    with replacing(folder / "summary.json") as file:
        file.write(json.dumps(_summary(result), indent=2).encode("ascii"))
    write_identity_report(folder / REPORT_FILE, report_of(result, path.name))
    return path


def tracks_of(result: Identification) -> Iterator[FrameTracks]:
    """Frames with the detections that have an identity, by rising identity."""
    known = _rows(result)
    for frame in result.footage.frames:
        of_frame = dict(sorted(known.get(frame.index, {}).items()))
        rows = np.array(list(of_frame.values()), dtype=np.int64)
        yield replace(frame.take(rows), ids=np.array(list(of_frame), dtype=np.int64))


def _rows(result: Identification) -> dict[int, dict[int, int]]:
    """Frame index -> number of an identity -> row among the frame's detections."""
    known: dict[int, dict[int, int]] = {}
    for tracklet, identity in zip(result.tracklets, result.links.identities.tolist()):
        if identity >= 0:
            for index, row in zip(tracklet.frames.tolist(), tracklet.rows.tolist()):
                known.setdefault(index, {})[int(result.labels[identity])] = row
    return known


def _write_places(result: Identification, folder: Path) -> None:
    """``centroids.csv``, a row for each detection, and ``trajectories.npy``, (F, K, 2) x, y by rising identity."""
    footage, known = result.footage, _rows(result)
    labels = np.sort(result.labels)
    last = max((frame.index for frame in footage.frames), default=-1)
    places = np.full((last + 1, len(labels) if result.told_apart else 0, 2), np.nan)
    certainty = _probabilities(result)
    text = io.StringIO(newline="")
    table = csv.writer(text)
    table.writerow(["frame", "seconds", "identity", "x", "y", "probability"])
    for frame in footage.frames:
        for identity, row in sorted(known.get(frame.index, {}).items()):
            x, y = footage.centers[frame.index][row].tolist()
            probability = certainty[frame.index, row]
            seconds = footage.info.frame_time(frame)
            table.writerow([frame.index, f"{seconds:.4f}", identity, f"{x:.2f}", f"{y:.2f}", f"{probability:.4f}"])
            if result.told_apart:
                places[frame.index, np.searchsorted(labels, identity)] = x, y
    with replacing(folder / "centroids.csv") as file:
        file.write(text.getvalue().encode("ascii"))
    if result.told_apart:
        with replacing(folder / "trajectories.npy") as file:
            np.save(file, places)


def _probabilities(result: Identification) -> dict[tuple[int, int], float]:
    """(frame index, row) -> probability of a detection's identity."""
    return {
        place: float(probability)
        for tracklet, probability in zip(result.tracklets, result.links.probabilities)
        for place in zip(tracklet.frames.tolist(), tracklet.rows.tolist())
    }


def _gallery(result: Identification) -> Gallery:
    order = np.argsort(result.labels)
    of_identity = [np.flatnonzero(result.links.identities == k) for k in order]
    crops = np.stack([collect_crops([result.crops[i] for i in members]) for members in of_identity])
    return Gallery(result.labels[order], crops, result.length, result.encoder)


def _write_config(result: Identification, cfg: CfgNode, folder: Path) -> None:
    """Configuration of the paper's online tracker with the learnt embedding and its calibrated thresholds."""
    cfg = with_settings(cfg, online_settings(result, cfg))
    cfg.MODEL.EMBEDDED_DETECTOR.META_ARCHITECTURE = cfg.MODEL.META_ARCHITECTURE
    cfg.MODEL.META_ARCHITECTURE = "EmbeddedDetector"
    cfg.MODEL.EMBEDDED_DETECTOR.FEATURES.BACKBONE = "PixelBackbone"
    cfg.MODEL.EMBEDDED_DETECTOR.FEATURES.PIXEL_MEAN = [0.0, 0.0, 0.0]
    cfg.MODEL.EMBEDDED_DETECTOR.FEATURES.PIXEL_STD = [1.0, 1.0, 1.0]
    cfg.MODEL.EMBEDDED_DETECTOR.FEATURES.FORMAT = "BGR"
    cfg.MODEL.EMBEDDING.NAME = "CropEmbedding"
    cfg.MODEL.EMBEDDING.CROP_ENCODER = str((folder / GALLERY_FILE).resolve())
    with replacing(folder / CONFIG_FILE) as file:
        file.write(cfg.dump().encode("utf-8"))


def _summary(result: Identification) -> dict[str, Any]:
    def number(value: float) -> float | None:
        return None if np.isnan(value) else round(float(value), 4)

    halves = result.halves
    accuracy, *interval = result.accuracy
    return {
        "told_apart": result.told_apart,
        "identities": result.labels.tolist() if result.told_apart else [],
        "accuracy": number(accuracy),
        "interval": [number(x) for x in interval],
        "exact_test": {
            "matched": halves.matched,
            "pairs": halves.pairs,
            "accuracy": number(halves.accuracy),
            "interval": [number(x) for x in halves.interval],
            "chance": number(halves.chance),
        },
        "tracklets": len(result.tracklets),
        "detections": result.num_detections,
        "open_detections": result.num_open,
        "seconds": round(result.seconds, 1),
    }
