"""ONNX files of detectors: what they say of themselves, and the forms of output."""

import sys

import numpy as np
import pytest
import tiny_onnx
import torch
from color_detector import scene

from ictrack.engine.setup import load_config
from ictrack.model_zoo import config_path
from ictrack.modeling.build import build_model
from ictrack.modeling.onnx_detector import OnnxDetector, fit_image, guess_layout
from ictrack.modeling.onnx_file import OnnxError, OnnxFacts, OnnxSession, read_facts


@pytest.fixture(params=["ONNX Runtime", "OpenCV"])
def file(tmp_path, request, monkeypatch):
    """Detector, where there is ONNX Runtime and where there is none."""
    if request.param == "OpenCV":
        monkeypatch.setitem(sys.modules, "onnxruntime", None)
    return tiny_onnx.write_color_detector(tmp_path / "colors.onnx")


def record(index=0, size=(64, 96)):
    return {"image": torch.from_numpy(scene(index).transpose(2, 0, 1).copy()), "height": size[0], "width": size[1]}


def test_facts(file):
    assert read_facts(file) == OnnxFacts("images", (64, 64), ["red", "green", "blue"])


def test_any_size_and_no_names(tmp_path):
    constants = [tiny_onnx.tensor("c", np.zeros(1, np.float32))]
    inputs = [tiny_onnx.value("c", [1]), tiny_onnx.value("x", [0, 3, 0, 0])]
    (tmp_path / "m.onnx").write_bytes(tiny_onnx.model([], constants, inputs, []))
    assert read_facts(tmp_path / "m.onnx") == OnnxFacts("x", None, None)


@pytest.mark.parametrize("content", [b"", b"PK\x03\x04 no model", b"\x08\x08", b"\x3a\x05ab"])
def test_another_file_is_named(tmp_path, content):
    (tmp_path / "m.onnx").write_bytes(content)
    with pytest.raises(OnnxError, match=r"m\.onnx: is no ONNX file of a model"):
        OnnxSession(tmp_path / "m.onnx")


def test_detections_are_at_the_frame_s_size(file):
    model = OnnxDetector(OnnxSession(file), reverse_channels=True, score_thresh=0.2, nms_thresh=0.2).eval()
    for size in ((64, 96), (128, 192)):
        found = model([record(size=size)])[0]["instances"]
        assert found.image_size == size and model.class_names == ["red", "green", "blue"]
        found = found[found.scores.argsort()]  # of each class the best comes last
        centers = {int(c): box for c, box in zip(found.pred_classes, found.pred_boxes.get_centers() * 64 / size[0])}
        for category, center in ((0, (15, 15)), (1, (75, 33)), (2, (27, 51))):
            assert np.abs(centers[category].numpy() - center).max() < 9, "within the cell"


def test_the_order_of_channels(file):
    model = OnnxDetector(OnnxSession(file), reverse_channels=False, score_thresh=0.4).eval()
    found = model([record()])[0]["instances"]
    red = found.pred_boxes.get_centers()[found.pred_classes == 0]
    assert (red[:, 1] > 40).all(), "what is blue in BGR is found as red"


BOX = [32.0, 16.0, 20.0, 10.0]  # center and size


def decode(table, layout="", names=("a", "b", "c"), **more):
    model = OnnxDetector.__new__(OnnxDetector)
    torch.nn.Module.__init__(model)
    model.layout, model.class_names = layout, None if names is None else list(names)
    model.score_thresh, model.nms_thresh, model.nms_class_agnostic, model.max_detections = 0.1, 0.5, False, 10
    model.session = type("Session", (), {"path": "m.onnx"})
    for name, value in more.items():
        setattr(model, name, value)
    return [values.tolist() for values in model._decode(np.asarray(table, dtype=np.float32))]


CORNERS = [22.0, 11.0, 42.0, 21.0]


@pytest.mark.parametrize("transposed", [False, True])
def test_yolo(transposed):
    rows = np.array([[*BOX, 0.0, 0.75, 0.0], [*BOX, 0.0, 0.5, 0.0], [*BOX, 0.25, 0.0, 0.0], *[[0.0] * 7] * 8])
    table = rows[None] if transposed else rows.T[None]
    assert decode(table) == [[CORNERS, CORNERS], [0.75, 0.25], [1, 0]]
    assert decode(table, nms_class_agnostic=True) == [[CORNERS], [0.75], [1]]
    assert decode(table, max_detections=1) == [[CORNERS], [0.75], [1]]


def test_yolov5_multiplies_by_the_probability_of_an_object():
    rows = [[*BOX, 0.5, 0.0, 0.75, 0.0], *[[0.0] * 8] * 9]
    assert decode([rows]) == [[CORNERS], [0.375], [1]]


def test_boxes_are_not_suppressed():
    rows = [[*CORNERS, 0.5, 2], [*CORNERS, 0.75, 2], [0, 0, 0, 0, 0, 0]]
    for table in (rows, [rows]):
        assert decode(table) == [[CORNERS, CORNERS], [0.75, 0.5], [2, 2]]


def test_no_detection():
    assert decode(np.zeros((1, 7, 30))) == [[], [], []]


@pytest.mark.parametrize(
    ("shape", "names", "expected"),
    [
        ((84, 8400), None, "yolo"),
        ((8400, 84), None, "yolo"),
        ((25200, 85), None, "yolov5"),
        ((300, 6), None, "boxes"),
        ((6, 8400), None, "yolo"),
        ((8400, 6), ["a", "b"], "yolo"),
        ((5, 2100), None, "yolo"),
        ((25200, 6), ["a"], "yolov5"),
        ((300, 6), ["a", "b", "c"], "boxes"),
    ],
)
def test_layout_by_shape(shape, names, expected):
    assert guess_layout(shape, names, "m.onnx") == expected


@pytest.mark.parametrize(("shape", "names"), [((8400, 30), ["a"]), ((8400, 30), None), ((3, 4, 5), None)])
def test_unknown_layouts_are_refused(shape, names):
    with pytest.raises(OnnxError, match=r"m\.onnx: the output has the shape"):
        guess_layout(shape, names, "m.onnx")


def test_a_layout_that_is_none_is_refused(file):
    with pytest.raises(ValueError, match=r"MODEL\.ONNX\.LAYOUT 'ssd' is none of yolo"):
        OnnxDetector(OnnxSession(file), layout="ssd")


def test_images_keep_their_proportions():
    fitted, scale, left, top = fit_image(np.zeros((10, 40, 3), np.float32), (20, 20))
    assert (scale, left, top) == (0.5, 0, 7)
    assert (fitted[7:12] == 0).all() and (fitted[:7] == 114).all() and (fitted[13:] == 114).all()


def test_classes_of_the_configuration_stand_for_names_that_a_file_lacks(tmp_path):
    file = tiny_onnx.write_color_detector(tmp_path / "colors.onnx", names="")
    options = ["MODEL.DEVICE", "cpu", "MODEL.META_ARCHITECTURE", "OnnxDetector", "MODEL.ONNX.FILE", str(file)]
    for classes, expected in ((["red", "green", "blue"], ["red", "green", "blue"]), ([], None)):
        model = build_model(load_config(overrides=[*options, "MODEL.CLASSES", str(classes)]))
        assert model.class_names == expected


def test_embeddings_are_added(file):
    cfg = load_config(
        str(config_path("onnx_detector.yaml")),
        [
            "MODEL.DEVICE", "cpu", "MODEL.ONNX.FILE", str(file), "MODEL.TIMM.NAME", "resnet10t", "MODEL.TIMM.WEIGHTS",
            "", "MODEL.TIMM.STATISTICS", "", "MODEL.ONNX.SCORE_THRESH_TEST", 0.2,
        ],
    )  # fmt: skip
    model = build_model(cfg).eval()
    with torch.no_grad():
        found = model([record()])[0]["instances"]
    assert len(found) >= 3 and found.embeddings.shape[0] == len(found)


def test_it_has_nothing_to_train(file):
    assert OnnxDetector(OnnxSession(file)).train()([record()]) == {}
