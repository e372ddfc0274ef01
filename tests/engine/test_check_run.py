"""What is said of a run's mistakes without training."""

import json

import cv2
import numpy as np
import pytest
import tiny_video_dataset
import torch
from coco_squares import content_of, write_squares
from detectron2.config import get_cfg
from detectron2.data import DatasetCatalog, MetadataCatalog

from ictrack import add_ictrack_config
from ictrack.engine.check_data import quick_findings
from ictrack.engine.check_run import check_run
from ictrack.engine.launch import parse_training_arguments

NAME, CLIP, VIDEOS = "checked", "checked_clip", "checked_videos"


@pytest.fixture
def check(tmp_path):
    """A function from a file's content and further keys to the texts that are found, and those that are mistakes."""

    write_squares(tmp_path)

    def run(content, *argv):
        path = tmp_path / "squares.json"
        if content is not None:
            path.write_text(json.dumps(content))
        keys = [
            "MODEL.DEVICE", "cpu", "MODEL.META_ARCHITECTURE", "SOLO", "MODEL.BACKBONE.NAME",
            "build_resnet_fpn_backbone",
            "MODEL.RESNETS.OUT_FEATURES", "['res2','res3','res4','res5']", "MODEL.FPN.IN_FEATURES",
            "['res2','res3','res4','res5']", "MODEL.SOLO.NUM_CLASSES", "2", "MODEL.SOLO.CONV_DIM", "32",
            "MODEL.RESNETS.DEPTH", "18", "MODEL.RESNETS.RES2_OUT_CHANNELS", "64", "OUTPUT_DIR", str(tmp_path / "out"),
            "DATASETS.REGISTER", str([[NAME, "coco", str(path), str(tmp_path)]]), "DATASETS.TRAIN", f"('{NAME}',)",
            "DATASETS.TEST", "()", "MODEL.WEIGHTS", "",
        ]  # fmt: skip
        flags = [item for item in argv if item.startswith("--")]
        args = parse_training_arguments([*flags, *keys, *argv[len(flags) :]], prog="check", description=None)
        found = list(check_run(args))
        assert all(finding.text for finding in found)
        return [f.text for f in found if not f.is_mistake], [f.text for f in found if f.is_mistake]

    yield run
    for name in (NAME, CLIP, VIDEOS):
        if name in DatasetCatalog:
            DatasetCatalog.remove(name)
            MetadataCatalog.remove(name)


def test_nothing_is_wrong(check):
    texts, mistakes = check(content_of(2))
    assert mistakes == []
    assert texts == [
        "configuration: the defaults",
        f"DATASETS.TRAIN: {NAME}: 6 images",
        "classes: 2 (square 0, square 1)",
        "training batches: SOLVER.IMS_PER_BATCH 16",
        "weights: none (MODEL.WEIGHTS is empty)",
    ]


def test_several_mistakes_are_found_at_once(check, tmp_path):
    torch.save({"model": {"other": torch.zeros(1)}}, tmp_path / "other.pth")
    more = [
        "SOLVER.IMS_PER_BATCH",
        "3",
        "SOLVER.REFERENCE_WORLD_SIZE",
        "2",
        "MODEL.WEIGHTS",
        str(tmp_path / "other.pth"),
    ]
    _, mistakes = check(content_of(3), *more)
    classes, batch, weights = mistakes
    assert classes == f"{NAME} has 3 categories, MODEL.SOLO.NUM_CLASSES is 2"
    assert "SOLVER.IMS_PER_BATCH 3" in batch
    assert weights.startswith(f"{tmp_path / 'other.pth'}: is of another architecture")


def test_missing_files_are_told_once(check, tmp_path):
    texts, mistakes = check(None, "MODEL.WEIGHTS", "absent.pth")
    assert len(mistakes) == 2 and texts == ["configuration: the defaults"]
    assert f"{tmp_path / 'squares.json'}: no such file" in mistakes[0] and mistakes[1] == "absent.pth: no such file"


def test_without_a_configuration_there_is_nothing_else_to_check(check):
    assert check(content_of(2), "MODEL.NO_SUCH_KEY", "1")[0] == []
    texts, mistakes = check(content_of(2), "MODEL.DEVICE", "nonsense")
    assert texts == [] and "MODEL.DEVICE 'nonsense' is not a device" in mistakes[0]


def test_tracklets_need_weights_to_be_mined_with(check, tmp_path):
    (tmp_path / "clip").mkdir()
    cv2.imwrite(str(tmp_path / "clip" / "0.png"), np.zeros((64, 96, 3), np.uint8))
    row, clip = [NAME, "coco", str(tmp_path / "squares.json"), str(tmp_path)], [CLIP, "videos", str(tmp_path / "clip")]
    keys = [
        "DATASETS.REGISTER", str([row, clip]), "DATASETS.UNLABELED", f"('{CLIP}',)", "DATASETS.TRAIN", "()",
        "MODEL.EMBEDDING.NAME", "InstanceEmbeddingHead", "MODEL.EMBEDDING.READOUT", "mask",
        "MODEL.VIDEO_EMBEDDING.ENABLED", "True", "MODEL.VIDEO_EMBEDDING.OBJECTIVE", "tracklet",
    ]  # fmt: skip
    (mistake,) = check(content_of(2), *keys)[1]
    assert "MODEL.FREEZE" in mistake
    (mistake,) = check(content_of(2), *keys, "MODEL.FREEZE", "['detector']")[1]
    assert "the objective 'tracklet' needs tracklets" in mistake


def test_an_evaluation_needs_no_training_data(check):
    assert check(None, "--eval-only")[1] == []


def test_defects_of_annotations_are_said_by_kind(check, tmp_path):
    content = content_of(2)
    for annotation in content["annotations"][:3]:
        annotation["bbox"] = [90, 5, 30, 10]
    content["annotations"][4]["area"] = 1
    (tmp_path / "5.png").unlink()
    texts, mistakes = check(content)
    path = tmp_path / "squares.json"
    assert mistakes == [
        f"DATASETS.TRAIN: {path}: images[5]: {tmp_path / '5.png'}: no such file",
        f"DATASETS.TRAIN: {path}: annotations[0].bbox: [90, 5, 30, 10] lies partly outside of the image of 96 x 64; 2 "
        "more such",
        f"DATASETS.TRAIN: {path}: annotations[0].segmentation: lies in the box [8, 10, 24, 24], but the box is "
        "[90, 5, 30, 10]; 2 more such",
    ]
    assert f"warning: DATASETS.TRAIN: {path}: annotations[4].segmentation: covers 576 pixels, its area is 1" in texts


def test_an_evaluation_on_the_training_images_is_said(check):
    texts, mistakes = check(content_of(2), "DATASETS.TEST", f"('{NAME}',)")
    (warning,) = [text for text in texts if text.startswith("warning: ")]
    assert warning.startswith(f"warning: DATASETS.TEST: {NAME}: images that are in DATASETS.TRAIN, too: ")
    assert warning.endswith(" and 3 more") and mistakes == []


def test_videos_of_the_evaluation_among_the_unlabeled_ones(check, tmp_path):
    json_file, images = tiny_video_dataset.write_dataset(tmp_path / "vis")
    rows = [
        [NAME, "coco", str(tmp_path / "squares.json"), str(tmp_path)],
        [CLIP, "videos", images],
        [VIDEOS, "youtube_vis", json_file, images],
    ]
    keys = ["DATASETS.REGISTER", str(rows), "DATASETS.UNLABELED", f"('{CLIP}',)", "DATASETS.TEST", f"('{VIDEOS}',)"]
    leak = f"DATASETS.TEST: {VIDEOS}: videos that are in DATASETS.UNLABELED, too: "
    advice = f"; add {VIDEOS} to DATASETS.UNLABELED_EXCLUDE"
    assert f"{leak}clip2, clip30, clip7{advice}" in check(content_of(2), *keys)[1]
    excluded = ["DATASETS.UNLABELED_EXCLUDE", "['clip2', 'clip30']"]
    assert f"{leak}clip7{advice}" in check(content_of(2), *keys, *excluded)[1]
    excluded = ["DATASETS.UNLABELED_EXCLUDE", f"['{VIDEOS}']"]
    assert not any(leak in mistake for mistake in check(content_of(2), *keys, *excluded)[1])


def test_an_evaluation_on_copies_of_the_training_images_is_said(check, tmp_path):
    copies = tmp_path / "copies"
    copies.mkdir()
    for number in range(2):
        picture = cv2.imread(str(tmp_path / f"{number}.png"))
        cv2.imwrite(str(copies / f"other{number}.jpg"), picture, [cv2.IMWRITE_JPEG_QUALITY, 90])
    content = content_of(2)
    content["images"] = [{**image, "file_name": f"other{image['id']}.jpg"} for image in content["images"][:2]]
    content["annotations"] = [one for one in content["annotations"] if one["image_id"] < 2]
    (tmp_path / "copies.json").write_text(json.dumps(content))
    rows = [
        [NAME, "coco", str(tmp_path / "squares.json"), str(tmp_path)],
        [CLIP, "coco", str(tmp_path / "copies.json"), str(copies)],
    ]
    texts, _ = check(content_of(2), "DATASETS.REGISTER", str(rows), "DATASETS.TEST", f"('{CLIP}',)")
    (warning,) = [text for text in texts if "look like" in text]
    assert warning == (
        f"warning: DATASETS.TEST: {CLIP}: images that look like some of the training data: {copies / 'other0.jpg'} "
        f"({tmp_path / '0.png'}), {copies / 'other1.jpg'} ({tmp_path / '1.png'})"
    )


def test_a_training_looks_at_its_data_in_short(check, tmp_path):
    check(content_of(2), "DATASETS.TEST", f"('{NAME}',)")  # registers the data set
    cfg = get_cfg()
    add_ictrack_config(cfg)
    cfg.DATASETS.TRAIN, cfg.DATASETS.TEST = (NAME,), ()
    assert list(quick_findings(cfg)) == []
    cv2.imwrite(str(tmp_path / "2.png"), np.zeros((30, 40, 3), np.uint8))
    (tmp_path / "3.png").unlink()
    size, missing = quick_findings(cfg)
    assert size == f"DATASETS.TRAIN: {NAME}: {tmp_path / '2.png'} is 40 x 30, the annotations say 96 x 64"
    assert missing == f"DATASETS.TRAIN: {NAME}: {tmp_path / '3.png'}: no such file"
