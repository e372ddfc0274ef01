import gzip
import json

import pytest
from detectron2.config import get_cfg
from detectron2.data import DatasetCatalog, MetadataCatalog
from tiny_posetrack_dataset import HEIGHT, LENGTHS, WIDTH, sequence_file, write_dataset

from ictrack import add_ictrack_config
from ictrack.data import build_video_test_loader
from ictrack.data.datasets import load_posetrack_folder, register_all_posetrack, register_posetrack
from ictrack.data.datasets.register_from_config import register_configured_datasets
from ictrack.structures.json_files import AnnotationError

NAME = "tiny_posetrack"


@pytest.fixture
def cfg():
    cfg = get_cfg()
    add_ictrack_config(cfg)
    cfg.INPUT.MIN_SIZE_TEST = 0
    cfg.DATALOADER.NUM_WORKERS = 0
    return cfg


@pytest.fixture(autouse=True)
def forget():
    yield
    for name in (NAME, "posetrack18_other"):
        if name in DatasetCatalog:
            DatasetCatalog.remove(name)
        MetadataCatalog.pop(name, None)


def test_a_record_a_sequence_by_name(tmp_path):
    folder, root = write_dataset(tmp_path)
    records = load_posetrack_folder(folder, root)
    assert [record["video_name"] for record in records] == sorted(LENGTHS)
    for video_id, record in enumerate(records):
        # The files do not give the images' size: it is read from the first frame.
        assert (record["video_id"], record["height"], record["width"]) == (video_id, HEIGHT, WIDTH)
        assert record["length"] == len(record["file_names"]) == LENGTHS[record["video_name"]]
        assert record["images"] == sequence_file(record["video_name"])["images"]
        assert record["has_annotations"]


def test_packed_files_and_given_sizes_need_no_images(tmp_path):
    data = sequence_file("000001_mpii_test", labeled=False)
    data["images"][0].update(height=7, width=9)
    with gzip.open(tmp_path / "000001_mpii_test.json.gz", "wt") as file:
        json.dump(data, file)
    (record,) = load_posetrack_folder(str(tmp_path), "/nowhere")
    assert (record["video_name"], record["height"], record["width"]) == ("000001_mpii_test", 7, 9)
    assert not record["has_annotations"]


def test_frames_come_in_order(tmp_path, cfg):
    cfg.DATASETS.REGISTER = [[NAME, "posetrack", *write_dataset(tmp_path)]]
    register_configured_datasets(cfg)
    frames = [batch[0] for batch in build_video_test_loader(cfg, NAME)]
    assert [(frame["video_name"], frame["frame_index"]) for frame in frames] == [
        (name, index) for name in sorted(LENGTHS) for index in range(LENGTHS[name])
    ]
    assert all(frame["image"].shape == (3, HEIGHT, WIDTH) for frame in frames)
    # Grey values tell which picture it is; the second file written is the first by name.
    assert [int(frame["image"][0, 0, 0]) for frame in frames[:4]] == pytest.approx([60, 70, 80, 0], abs=2)


def test_metadata(tmp_path):
    register_posetrack(NAME, "a", "b")
    metadata = MetadataCatalog.get(NAME)
    assert metadata.evaluator_type == "posetrack" and metadata.thing_classes == ["person"]
    assert metadata.keypoint_names[1] == "head_bottom" and len(metadata.keypoint_names) == 17


def test_public_data_sets_are_registered(tmp_path):
    register_all_posetrack(str(tmp_path))  # a second time does no harm
    for name, folder in (
        ("posetrack18_val", "posetrack18/annotations/val"),
        ("posetrack18_test", "posetrack18/annotations/test"),
        ("posetrack21_val", "PoseTrack21/posetrack_data/val"),
    ):
        assert MetadataCatalog.get(name).annotation_folder.endswith(folder)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not valid JSON"),
        ("[]", r"\$: must be an object"),
        ('{"images": []}', "images: must not be empty"),
        ('{"images": [{"id": 1}]}', r"images\[0\].file_name: must be a file's name, not None"),
        ('{"images": [{"id": 1, "file_name": "a"}, {"id": 1, "file_name": "b"}]}', r"images\[1\].id: 1 is used twice"),
    ],
)
def test_a_wrong_file_is_named(tmp_path, content, message):
    (tmp_path / "000001_mpii_test.json").write_text(content)
    with pytest.raises(AnnotationError, match=f"^[^:]*000001_mpii_test.json: {message}"):
        load_posetrack_folder(str(tmp_path), "")


def test_an_empty_or_missing_folder_is_an_error(tmp_path):
    with pytest.raises(AnnotationError, match=r"holds no \.json"):
        load_posetrack_folder(str(tmp_path), "")
    with pytest.raises(AnnotationError, match="no such folder"):
        load_posetrack_folder(str(tmp_path / "x"), "")
