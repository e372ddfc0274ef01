"""Tiny folders in the official layouts of the public data sets, and the overrides that shrink the full-scale models."""

from __future__ import annotations

import json
from pathlib import Path

import cv2
import numpy as np
import tiny_posetrack_dataset
from detectron2.data import MetadataCatalog

from ictrack.structures.categories import YTVIS_2019_CATEGORIES
from ictrack.structures.joints import COCO_17

HEIGHT, WIDTH = 64, 96

COMMON = [
    "MODEL.DEVICE", "cpu", "DATALOADER.NUM_WORKERS", "0", "SOLVER.IMS_PER_BATCH", "2", "SOLVER.REFERENCE_WORLD_SIZE",
    "0", "SOLVER.STEPS", "()", "SOLVER.WARMUP_ITERS", "0", "INPUT.MIN_SIZE_TRAIN", "(64,)", "INPUT.MIN_SIZE_TEST",
    "64", "INPUT.UNLABELED.SIZE", "[64, 96]", "MODEL.VIDEO_EMBEDDING.HEALTH_VIDEOS", "1",
    "MODEL.EMBEDDING.NUM_CONVS", "1", "MODEL.EMBEDDING.CONV_DIM", "16", "MODEL.EMBEDDING.NUM_GROUPS", "4",
    "MODEL.EMBEDDING.DIM", "8", "TRACKER_HEADS.MIN_SCORE", "0.0", "TRACKER_HEADS.NEW_TRACK_SCORE", "0.0",
    "TEST.DETECTIONS_PER_IMAGE", "5", "MODEL.VIDEO_EMBEDDING.TRACKLET.MIN_SCORE", "0.0",
    "MODEL.VIDEO_EMBEDDING.TRACKLET.MIN_LENGTH", "2", "TRACKER_HEADS.EMBEDDING.MATCH_THRESHOLD", "0.0",
]  # fmt: skip
VIS_MODEL = [
    "MODEL.RESNETS.STEM_OUT_CHANNELS", "8", "MODEL.RESNETS.RES2_OUT_CHANNELS", "16", "MODEL.RESNETS.WIDTH_PER_GROUP",
    "4", "MODEL.FPN.OUT_CHANNELS", "16", "MODEL.SOLO.NUM_CONVS", "1", "MODEL.SOLO.CONV_DIM", "16",
    "MODEL.SOLO.NUM_GROUPS", "4", "MODEL.SOLO.SCORE_THRESH_TEST", "0.0", "MODEL.SOLO.UPDATE_THRESH_TEST", "0.0",
    "MODEL.SOLO.INIT_STD", "0.0", "MODEL.SOLO.PRIOR_PROB", "0.4", "MODEL.SOLO.NMS_PRE_TOPK", "20",
]  # fmt: skip
POSE_MODEL = [
    "MODEL.HRNET.WIDTH", "4", "MODEL.HRNET.NUM_MODULES", "[1, 1, 1, 1]", "MODEL.HRNET.NUM_BLOCKS", "[1, 1, 1, 1]",
    "MODEL.HRNET.STAGE1_WIDTH", "8", "MODEL.HRNET.FPN_CHANNELS", "16", "MODEL.POINT_SET_ANCHOR.NUM_CONVS", "1",
    "MODEL.POINT_SET_ANCHOR.CONV_DIM", "16", "MODEL.POINT_SET_ANCHOR.NUM_GROUPS", "4",
    "MODEL.POINT_SET_ANCHOR.HEATMAP_CONV_DIM", "16", "INPUT.CROP_SIZE", "[64, 96]",
    "MODEL.POINT_SET_ANCHOR.PRE_NMS_TOPK_TEST", "20", "MODEL.POINT_SET_ANCHOR.SCORE_THRESH_TEST", "0.0",
    "MODEL.EMBEDDING.KEYPOINT.MIN_JOINT_SCORE", "0.0",
]  # fmt: skip


def picture(path: Path, seed: int) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    cv2.imwrite(str(path), np.random.default_rng(seed).integers(0, 255, (HEIGHT, WIDTH, 3), dtype=np.uint8))


def write_json(path: Path, content: object) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(content))


def _coco(root: Path) -> None:
    metadata = MetadataCatalog.get("coco_2017_val")
    categories = [
        {"id": i, "name": metadata.thing_classes[index]}
        for i, index in metadata.thing_dataset_id_to_contiguous_id.items()
    ]
    person = {"id": 1, "name": "person", "keypoints": list(COCO_17.names), "skeleton": []}
    joints = np.column_stack([20 + np.arange(17) % 5 * 6, 8 + np.arange(17) // 5 * 12, np.full(17, 2)])
    for split in ("train", "val"):
        images = [{"id": i, "file_name": f"{i:012d}.jpg", "height": HEIGHT, "width": WIDTH} for i in (1, 2)]
        objects = [
            {"id": i, "image_id": i, "category_id": 1, "bbox": [15, 4, 50, 50], "area": 2500, "iscrowd": 0,
             "segmentation": [[15, 4, 65, 4, 65, 54, 15, 54]]}
            for i in (1, 2)
        ]  # fmt: skip
        people = [{**one, "keypoints": joints.ravel().tolist(), "num_keypoints": 17} for one in objects]
        for image in images:
            picture(root / f"coco/{split}2017" / image["file_name"], image["id"])
        folder, common = root / "coco/annotations", {"info": {}, "images": images}
        write_json(folder / f"instances_{split}2017.json", {**common, "annotations": objects, "categories": categories})
        write_json(
            folder / f"person_keypoints_{split}2017.json", {**common, "annotations": people, "categories": [person]}
        )


def write_vis_layout(root: Path) -> None:
    """coco, ytvis_2019 (without labels, as it is distributed for evaluation) and ytvos_2019 below ``root``."""
    _coco(root)
    categories = [{"id": i, "name": name} for i, name in enumerate(YTVIS_2019_CATEGORIES, 1)]
    for split, name in (("valid", "0a49f5265b"), ("test", "0b4dcfd3b5")):
        files = [f"{name}/{frame:05d}.jpg" for frame in range(3)]
        for seed, file in enumerate(files):
            picture(root / f"ytvis_2019/{split}/JPEGImages" / file, seed)
        video = {"id": 1, "height": HEIGHT, "width": WIDTH, "length": 3, "file_names": files}
        write_json(root / f"ytvis_2019/{split}.json", {"videos": [video], "categories": categories})
    for name in ("003234408d", "0a49f5265b"):  # the second is evaluated on
        for frame in range(12):
            picture(root / f"ytvos_2019/train/JPEGImages/{name}/{5 * frame:05d}.jpg", frame)


def write_pose_layout(root: Path) -> None:
    """coco, mpii and posetrack18 below ``root``."""
    _coco(root)
    joints = [[20.0 + index % 4 * 12, 6.0 + index // 4 * 14] for index in range(16)]
    write_json(
        root / "mpii/annotations/mpii_train.json",
        [{"image": f"{i}.jpg", "joints": joints, "joints_vis": [1] * 16} for i in range(2)],
    )
    for i in range(2):
        picture(root / f"mpii/images/{i}.jpg", i)
    for sequence in tiny_posetrack_dataset.LENGTHS:
        data = tiny_posetrack_dataset.sequence_file(sequence)
        write_json(root / f"posetrack18/annotations/val/{sequence}.json", data)
        for seed, image in enumerate(data["images"]):
            path = root / "posetrack18" / image["file_name"]
            path.parent.mkdir(parents=True, exist_ok=True)
            size = (tiny_posetrack_dataset.HEIGHT, tiny_posetrack_dataset.WIDTH, 3)
            cv2.imwrite(str(path), np.random.default_rng(seed).integers(0, 255, size, dtype=np.uint8))
    for frame in range(12):
        picture(root / f"posetrack18/images/train/000001_bonn_train/{frame:06d}.jpg", frame)
