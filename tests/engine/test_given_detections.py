"""Given detections go where a detector goes: evaluation on a data set, and adaptation to videos."""

import argparse
import json

import pytest
import tiny_video_dataset
from color_detector import COLORS, scene
from color_model import save_weights, write_scenes
from detectron2.data import DatasetCatalog, MetadataCatalog

from ictrack.engine.adaptation import adapt
from ictrack.engine.setup import load_config, train_or_evaluate
from ictrack.model_zoo.model_zoo import config_path
from ictrack.structures.rle import encode_mask

NAME = "given_detections_test"


@pytest.fixture()
def dataset(tmp_path):
    json_file, images = tiny_video_dataset.write_dataset(tmp_path / "data")
    yield json_file, images
    DatasetCatalog.remove(NAME)
    MetadataCatalog.remove(NAME)


def evaluate(dataset, file, tmp_path, *more):
    options = [
        "MODEL.META_ARCHITECTURE", "GivenDetections", "MODEL.GIVEN_DETECTIONS.FILE", str(file), "MODEL.DEVICE", "cpu",
        "MODEL.CLASSES", "['person', 'dog']", "DATASETS.TRAIN", "()", "DATASETS.TEST", f"('{NAME}',)",
        "DATASETS.REGISTER", repr([[NAME, "youtube_vis", *dataset]]), "INPUT.MIN_SIZE_TEST", "0",
        "DATALOADER.NUM_WORKERS", "0", "TRACKER_HEADS.TRACKER_NAME", "SpatialTracker",
        "OUTPUT_DIR", str(tmp_path / "out"), *more,
    ]  # fmt: skip
    return train_or_evaluate(argparse.Namespace(config_file="", opts=options, eval_only=True, resume=False))


def test_labels_as_detections_have_the_best_score(dataset, tmp_path):
    assert evaluate(dataset, dataset[0], tmp_path)["segm_video"]["AP"] == pytest.approx(100)


def test_results_whose_videos_another_file_names(dataset, tmp_path):
    content = json.loads((tmp_path / "data" / "annotations.json").read_text())
    keys = ("video_id", "category_id", "segmentations")
    results = [{**{key: track[key] for key in keys}, "score": 0.9} for track in content["annotations"]]
    (tmp_path / "results.json").write_text(json.dumps(results))
    more = ["MODEL.GIVEN_DETECTIONS.IMAGES", dataset[0]]
    assert evaluate(dataset, tmp_path / "results.json", tmp_path, *more)["segm_video"]["AP"] == pytest.approx(100)


def test_an_embedding_is_adapted_to_the_videos_of_the_detections(tmp_path):
    """Tracklets are mined from the detections, and the video head on frozen features learns from them."""
    names, num_frames = ("a", "b"), 16
    write_scenes(tmp_path / "videos", names, num_frames)
    videos, annotations = [], []
    for video_id, name in enumerate(names, 1):
        files = [f"{name}/{index:05d}.png" for index in range(num_frames)]
        videos.append({"id": video_id, "height": 64, "width": 96, "length": num_frames, "file_names": files})
        for color in COLORS.values():
            masks = [(scene(index) == color).all(axis=-1) for index in range(num_frames)]
            annotations.append(
                {
                    "id": len(annotations) + 1,
                    "video_id": video_id,
                    "category_id": 1,
                    "segmentations": [encode_mask(mask) if mask.any() else None for mask in masks],
                }
            )
    content = {"videos": videos, "categories": [{"id": 1, "name": "square"}], "annotations": annotations}
    (tmp_path / "detections.json").write_text(json.dumps(content))
    cfg = load_config(
        str(config_path("given_detections.yaml")),
        [
            "MODEL.DEVICE", "cpu", "MODEL.GIVEN_DETECTIONS.FILE", str(tmp_path / "detections.json"),
            "MODEL.EMBEDDING.NAME", "InstanceEmbeddingHead", "MODEL.EMBEDDING.NUM_CONVS", 0, "MODEL.EMBEDDING.DIM", 8,
            "MODEL.TIMM.NAME", "resnet10t", "MODEL.TIMM.WEIGHTS", "", "MODEL.TIMM.STATISTICS", "",
            "INPUT.MIN_SIZE_TEST", 64, "INPUT.UNLABELED.SIZE", [64, 96], "DATALOADER.NUM_WORKERS", 0,
            "ADAPT.OBJECTIVE", "tracklet", "ADAPT.ITERATIONS", 2, "ADAPT.CLIPS_PER_BATCH", 1,
            "ADAPT.MEASURED_PAIRS", 2,
        ],
    )  # fmt: skip
    cfg.MODEL.WEIGHTS = str(save_weights(cfg, tmp_path / "image_stage.pth"))
    result = adapt(cfg, [str(tmp_path / "videos")], tmp_path / "adapted")
    assert "instance_retrieval" in str(result) and (tmp_path / "adapted" / "model_final.pth").is_file()
