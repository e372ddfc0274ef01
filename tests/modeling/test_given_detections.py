"""Detections that are looked up, as a detector."""

import json

import numpy as np
import pytest
import torch
from detectron2.structures import Boxes, Instances
from pycocotools import mask as mask_util

from ictrack.engine.setup import load_config
from ictrack.model_zoo.model_zoo import config_path
from ictrack.modeling import GivenDetections
from ictrack.modeling.build import build_model
from ictrack.structures.detections import frame_of_arrays, read_detections
from ictrack.structures.json_files import AnnotationError
from ictrack.structures.rle import encode_mask
from ictrack.tracking import build_tracker

SIZE = (64, 96)
# A head without training on a small random backbone.
TINY = ["MODEL.DEVICE", "cpu", "MODEL.TIMM.NAME", "resnet10t", "MODEL.TIMM.WEIGHTS", "", "MODEL.TIMM.STATISTICS", ""]


def mask(left):
    full = np.zeros(SIZE, bool)
    full[10:30, left : left + 20] = True
    return full


@pytest.fixture()
def results(tmp_path):
    """COCO results: frames 0 and 2 with two masks, frame 1 without any."""
    path = tmp_path / "results.json"
    entries = [
        {
            "image_id": i,
            "category_id": category,
            "score": 0.5 + category / 4,
            "segmentation": encode_mask(mask(left)),
        }
        for i in (0, 2)
        for category, left in ((0, 4), (1, 60))
    ]
    path.write_text(json.dumps(entries))
    return path


def record(index, **more):
    return {"image": torch.zeros(3, *SIZE), "height": SIZE[0], "width": SIZE[1], "frame_index": index, **more}


@pytest.mark.parametrize(
    ("answer", "message"),
    [
        ([[8, 8, 22, 22, 0.9, -1]], r"frame 3: classes must be indices, not \[-1\]"),
        (frame_of_arrays(3, [[8, 8, 22, 22]], masks=np.ones((1, 32, 32))), r"frame 3: a mask of \(32, 32\) pixels"),
    ],
    ids=["class", "mask"],
)
def test_impossible_answers_of_a_function_are_errors_of_their_frame(answer, message):
    with pytest.raises(ValueError, match=message):
        GivenDetections(lambda frame: answer, ["car"]).eval()([record(3)])


def test_instances_of_a_frame(results):
    model = GivenDetections(read_detections(results)).eval()
    (output,) = model([record(2)])
    found = output["instances"]
    assert found.image_size == SIZE and found.scores.tolist() == [0.5, 0.75] and found.pred_classes.tolist() == [0, 1]
    assert found.pred_boxes.tensor.tolist() == [[4, 10, 24, 30], [60, 10, 80, 30]]
    np.testing.assert_array_equal(found.pred_masks.numpy(), [mask(4), mask(60)])
    assert not found.has("ID") and len(model([record(1)])[0]["instances"]) == 0


def test_images_of_several_folders(tmp_path):
    """As Detectron2's own loader of images gives them: by name, without an index."""
    images = [{"id": i, "file_name": f"{name}/0.jpg", "height": 64, "width": 96} for i, name in enumerate("ab")]
    boxes = [{"id": i + 1, "image_id": i, "category_id": 1, "bbox": [i, 0, 5, 5]} for i in range(2)]
    content = {"images": images, "categories": [{"id": 1, "name": "cat"}], "annotations": boxes}
    (tmp_path / "d.json").write_text(json.dumps(content))
    model = GivenDetections(read_detections(tmp_path / "d.json")).eval()
    for i, name in enumerate("ab"):
        (found,) = model([{"file_name": f"/data/{name}/0.jpg", "height": 64, "width": 96}])
        assert found["instances"].pred_boxes.tensor.tolist() == [[i, 0, i + 5, 5]]


def test_it_has_nothing_to_train(results):
    model = GivenDetections(read_detections(results)).train()
    assert model([record(0)]) == {} and not list(model.parameters()) and not model.state_dict()


def test_classes_are_matched_by_name(results, caplog):
    model = GivenDetections(read_detections(results), ["cat", "dog"]).eval()
    assert model([record(0)])[0]["instances"].pred_classes.tolist() == [0, 1], 'a nameless "class 1" is the index 1'
    model = GivenDetections(read_detections(results), ["class 1", "dog"]).eval()
    assert "detections of class 0 are left out" not in caplog.text
    assert model([record(0)])[0]["instances"].pred_classes.tolist() == [0, 0]
    model = GivenDetections(read_detections(results), ["cat"]).eval()
    assert "detections of class 1 are left out: not in MODEL.CLASSES" in caplog.text
    assert model([record(0)])[0]["instances"].pred_classes.tolist() == [0]


def test_no_class_in_common_is_refused(tmp_path):
    (tmp_path / "d.csv").write_text("frame,x0,y0,x1,y1,class\n0,1,2,3,4,cat\n")
    with pytest.raises(ValueError, match=r"d.csv: none of its classes \(cat\) is in MODEL.CLASSES \(dog\)"):
        GivenDetections(read_detections(tmp_path / "d.csv"), ["dog"])


def test_an_input_that_names_no_frame_is_refused(results):
    model = GivenDetections(read_detections(results)).eval()
    with pytest.raises(ValueError, match="no frame_index and no file_name"):
        model([{"image": torch.zeros(3, *SIZE), "height": 64, "width": 96}])


class Supervision:
    xyxy, confidence, class_id = np.array([[1, 2, 3, 4]]), np.array([0.5]), np.array([2])


@pytest.mark.parametrize(
    ("answer", "score", "category"),
    [
        (frame_of_arrays(0, [[1, 2, 3, 4]], [0.5], [2]), 0.5, 2),
        (Supervision(), 0.5, 2),
        ([[1, 2, 3, 4, 0.5, 2]], 0.5, 2),
        ([[1, 2, 3, 4, 0.5]], 0.5, 0),
        ([[1, 2, 3, 4]], 1.0, 0),
        (
            Instances(
                SIZE,
                pred_boxes=Boxes(torch.tensor([[1.0, 2, 3, 4]])),
                scores=torch.tensor([0.5]),
                pred_classes=torch.tensor([2]),
            ),
            0.5,
            2,
        ),
    ],
)
def test_a_function_is_asked(answer, score, category):
    asked = []
    model = GivenDetections(lambda record: (asked.append(record["frame_index"]), answer)[1], ["a", "b", "c"]).eval()
    found = model([record(7)])[0]["instances"]
    assert asked == [7] and found.pred_boxes.tensor.tolist() == [[1, 2, 3, 4]]
    assert found.scores.tolist() == [score] and found.pred_classes.tolist() == [category]


@pytest.mark.parametrize("nothing", [[], np.zeros((0, 6))])
def test_a_function_may_find_nothing(nothing):
    assert len(GivenDetections(lambda record: nothing).eval()([record(0)])[0]["instances"]) == 0


@pytest.mark.parametrize(
    ("answer", "message"),
    [([[1, 2, 3]], r"shape \(1, 3\)"), (Instances((5, 5)), r"an image of \(5, 5\), the frame is")],
)
def test_a_wrong_answer_is_named(answer, message):
    with pytest.raises(ValueError, match=f"frame 4: .*{message}"):
        GivenDetections(lambda record: answer).eval()([record(4)])


def config(results, *more):
    path = str(config_path("given_detections.yaml"))
    return load_config(path, [*TINY, "MODEL.GIVEN_DETECTIONS.FILE", str(results), *more])


def test_embeddings_are_added_and_tracked(results):
    """The two objects exchange places; their colors tell them apart."""
    cfg = config(results)
    model = build_model(cfg).eval()
    tracker = build_tracker(cfg, *SIZE)
    tracked = []
    for index, colors in ((0, (40, 220)), (1, (40, 220)), (2, (220, 40))):
        image = torch.full((3, *SIZE), 128.0)
        for left, color in zip((4, 60), colors):
            image[:, 10:30, left : left + 20] = color
            image[2, 10:30, left : left + 20] = 255 - color
        with torch.no_grad():
            found = model([record(index, image=image)])[0]["instances"]
        assert found.embeddings.shape[0] == len(found)
        tracked.append(tracker.update(found).ID.tolist())
    assert tracked == [[0, 1], [], [1, 0]]


def test_boxes_that_are_hardly_on_the_frame_have_finite_embeddings(tmp_path):
    (tmp_path / "d.csv").write_text("frame,x0,y0,x1,y1\n0,-50,-40,1e-9,1e-9\n0,-5,-5,500,500\n0,3,3,3.0000001,4\n")
    model = build_model(config(tmp_path / "d.csv")).eval()
    with torch.no_grad():
        found = model([record(0)])[0]["instances"]
    assert len(found) == 3 and found.embeddings.isfinite().all()


def test_without_a_backbone_it_says_where_to_name_one(results):
    with pytest.raises(ValueError, match=r"set MODEL.EMBEDDED_DETECTOR.FEATURES.BACKBONE"):
        build_model(config(results, "MODEL.EMBEDDED_DETECTOR.FEATURES.BACKBONE", ""))


def test_an_empty_file_name_is_refused():
    with pytest.raises(ValueError, match="FILE is empty"):
        build_model(config(""))


def test_frames_that_do_not_fit_are_said_at_the_end(results):
    model = GivenDetections(read_detections(results)).eval()
    model([record(5)])
    with pytest.raises(AnnotationError, match="none of the 2 frames with detections"):
        model.end_video(is_complete=True)


def test_masks_keep_every_pixel(results):
    rle = encode_mask(mask(4))
    assert (
        mask_util.area(rle)
        == 400
        == GivenDetections(read_detections(results)).eval()([record(0)])[0]["instances"].pred_masks[0].sum()
    )
