"""``ictrack track`` where the data sets of a trained model's configuration are gone, or have too few classes."""

import json

import pytest
import torch
from color_detector import ColorDetector, scene
from detectron2.data import DatasetCatalog, MetadataCatalog
from detectron2.modeling import META_ARCH_REGISTRY
from detectron2.structures import Boxes, Instances

from ictrack.command.main import main
from ictrack.data.video_writer import VideoWriter
from ictrack.structures.frame_arrays import FrameArrays
from ictrack.visualization import draw_tracks
from ictrack.visualization.draw_tracks import TrackDrawer

NAME = "names_test"


@META_ARCH_REGISTRY.register()
class NamelessColorDetector(ColorDetector):
    def __init__(self, cfg):
        super().__init__(cfg.INPUT.FORMAT)


@pytest.fixture
def track(tmp_path, monkeypatch):
    """A function from keys to the exit status, the names in the file and those that are drawn."""
    torch.save({"model": {"anchor": torch.zeros(1)}}, tmp_path / "weights.pth")
    (tmp_path / "nothing.yaml").write_text("VERSION: 2\n")  # without a file, the classes are those of the default model
    with VideoWriter(tmp_path / "clip.mp4", 12) as writer:
        for index in range(3):
            writer.write(scene(index))
    monkeypatch.setattr("ictrack.command.log.setup_logger", lambda **kwargs: None)
    drawn = set()
    render = draw_tracks.render_label
    monkeypatch.setattr(draw_tracks, "render_label", lambda chip, text, *a: drawn.add(text) or render(chip, text, *a))

    def run(*keys):
        status = main(
            [
                "track", "--config-file", str(tmp_path / "nothing.yaml"),
                "--weights", str(tmp_path / "weights.pth"), "--input", str(tmp_path / "clip.mp4"),
                "--output", str(tmp_path / "out.mp4"), "--save-tracks", str(tmp_path / "tracks.json"),
                "--device", "cpu", "MODEL.META_ARCHITECTURE", "NamelessColorDetector", "INPUT.MIN_SIZE_TEST", "0",
                "INPUT.FORMAT", "RGB", *keys,
            ]
        )  # fmt: skip
        saved = json.loads((tmp_path / "tracks.json").read_text())
        names = {category["id"]: category["name"] for category in saved["categories"]}
        assert sorted(a["category_id"] for a in saved["annotations"]) == sorted(names)
        return status, list(names.values()), {text.split("  ")[0] for text in drawn}

    yield run
    if NAME in DatasetCatalog:
        DatasetCatalog.remove(NAME)
    MetadataCatalog.get(NAME)
    MetadataCatalog.remove(NAME)


def in_format(form, *paths):
    return ["DATASETS.REGISTER", str([[NAME, form, *map(str, paths)]]), "DATASETS.TRAIN", str((NAME,))]


@pytest.mark.parametrize(
    "keys",
    [
        in_format("coco", "/nowhere/instances.json", "/nowhere"),
        in_format("youtube_vis", "/nowhere/train.json", "/nowhere"),
        ["DATASETS.REGISTER", "[['names_test_videos', 'videos', '/nowhere']]", "DATASETS.TRAIN", str((NAME,))],
    ],
    ids=["coco", "youtube_vis", "videos"],
)
def test_a_training_set_that_is_gone(track, keys, caplog):
    classes = ["class 0", "class 1", "class 2"]
    assert track(*keys) == (0, classes, set(classes))
    assert f"set MODEL.CLASSES (DATASETS.TRAIN is {NAME})" in caplog.text
    names = ["red", "green", "blue"]
    assert track(*keys, "MODEL.CLASSES", str(names))[:2] == (0, names)


def test_a_damaged_training_set(track, tmp_path, caplog):
    (tmp_path / "instances.json").write_text('{"images": [')
    status, names, _ = track(*in_format("coco", tmp_path / "instances.json", "/nowhere"))
    assert (status, names[0]) == (0, "class 0") and "instances.json: not valid JSON" in caplog.text


def test_fewer_names_than_classes(track, tmp_path):
    content = {"images": [], "annotations": [], "categories": [{"id": 7, "name": "only"}]}
    (tmp_path / "one.json").write_text(json.dumps(content))
    expected = ["only", "class 1", "class 2"]
    assert track(*in_format("coco", tmp_path / "one.json", "/nowhere")) == (0, expected, set(expected))
    assert track("MODEL.CLASSES", "['red', 'green']")[:2] == (0, ["red", "green", "class 2"])


@pytest.mark.parametrize(("names", "label"), [(None, "0.50"), ([], "class 3  0.50"), (["a"] * 4, "a  0.50")])
def test_labels(names, label):
    found = Instances((8, 8), pred_boxes=Boxes(torch.tensor([[1.0, 1, 5, 5]])), scores=torch.tensor([0.5]))
    found.pred_classes = torch.tensor([3])
    assert TrackDrawer(names)._label(FrameArrays.of(found), 0) == label
