"""Bad labels end in one error that names the file and the place, and nothing is written."""

import json

import numpy as np
import pytest
from PIL import Image

from ictrack.structures.json_files import AnnotationError
from ictrack.structures.labels import LABEL_FORMATS, convert_labels
from ictrack.structures.rle import encode_mask

MASK = encode_mask(np.ones((4, 6), bool))
SMALL = encode_mask(np.ones((2, 3), bool))
BOX = {"bbox": [1, 1, 2, 2]}


def coco(images=None, annotations=None):
    names = images or ["a/0.png", "a/1.png"]
    entries = [{"id": i, "file_name": name, "height": 4, "width": 6} for i, name in enumerate(names, 1)]
    base = {"image_id": 1, "category_id": 1, "track_id": 3}
    found = [{"id": i, **base, **one} for i, one in enumerate(annotations or [BOX], 1)]
    return json.dumps({"images": entries, "categories": [{"id": 1, "name": "dog"}], "annotations": found})


def youtube_vis(masks, names=("a/0.png", "a/1.png")):
    video = {"id": 1, "height": 4, "width": 6, "length": 2, "file_names": list(names)}
    track = {"id": 1, "video_id": 1, "category_id": 1, "iscrowd": 0, "segmentations": masks}
    return json.dumps({"videos": [video], "categories": [{"id": 1, "name": "dog"}], "annotations": [track]})


def labelme(**values):
    shape = {"label": "dog", "points": [[1, 1], [3, 3]], "shape_type": "rectangle", "group_id": 1}
    return json.dumps({"imagePath": "0.png", "imageHeight": 4, "imageWidth": 6, "shapes": [{**shape, **values}] * 2})


CVAT = '<annotations><meta/><track id="1" label="dog">{}</track></annotations>'
BOMB = (
    '<?xml version="1.0"?><!DOCTYPE a [<!ENTITY b "xxxxxxxxxx"><!ENTITY c "&b;&b;&b;&b;">]>'
    "<annotations>&c;</annotations>"
)
# Format -> what is wrong -> (name of the file, its content, a part of the message).
BAD = {
    "coco": {
        "no JSON": ("a.json", "{", "not valid JSON"),
        "wrong size": ("a.json", coco(annotations=[{"segmentation": SMALL}]), r"segmentation.size: is \[2, 3\], the"),
        "identity twice": ("a.json", coco(annotations=[BOX, BOX]), "frame 0: the identity 3 is there twice"),
        "name goes up": ("a.json", coco(images=["../../a.png"]), "leaves the folder"),
        "absolute name": ("a.json", coco(images=["/etc/a.png"]), "leaves the folder"),
        "name of Windows": ("a.json", coco(images=["C:\\a.png"]), "leaves the folder"),
        "name of no file": ("a.json", coco(images=["a\0b.png"]), "no name of a file"),
        "name twice": ("a.json", coco(images=["a/0.png", "a/0.png"]), "'0.png' is that of frame 0, too"),
    },
    "youtube-vis": {
        "wrong size": ("a.json", youtube_vis([SMALL, None]), r"annotations\[0\].segmentations\[0\]: a mask of 3 x 2"),
        "wrong sum": ("a.json", youtube_vis([{**MASK, "counts": "1"}, None]), "do not add up to 4 x 6"),
        "name goes up": ("a.json", youtube_vis([MASK, None], ("../a/0.png", "../a/1.png")), "leaves the folder"),
    },
    "mot": {
        "no number": ("a.txt", "1,1,x,2,3,4,1,1,1\n", "line 1: 'x' is not a number"),
        "negative side": ("a.txt", "1,1,1,2,-3,4\n", "frame 0: a box has swapped corners"),
        "identity twice": ("a.txt", "1,1,1,2,3,4\n1,1,1,2,3,4\n", "frame 0: the identity 0 is there twice"),
    },
    "mots": {
        "wrong sum": ("a.txt", "1 2001 2 4 6 1\n", "line 1: the runs of counts do not add up"),
        "fields": ("a.txt", "1 2001 2\n", "line 1: has 3 fields"),
    },
    "labelme": {
        "no shapes": ("a.json", "{}", "shapes: must be a list"),
        "second box": ("a.json", labelme(), "a second box of 'dog' 1"),
        "group": ("a.json", labelme(group_id="x"), "group_id: must be a whole number"),
        "name of no file": (
            "a.json",
            json.dumps({**json.loads(labelme()), "imagePath": "a\0"}),
            "imagePath: .* no name",
        ),
    },
    "cvat": {
        "no XML": ("a.xml", "<annotations>", "not valid XML"),
        "entities": ("a.xml", BOMB, "has a document type"),
        "many digits": ("a.xml", CVAT.format(f'<box frame="{"9" * 5000}"/>'), "frame: must be a whole number"),
        "two signs": ("a.xml", CVAT.format('<box frame="--1"/>'), "frame: must be a whole number"),
        "identity twice": (
            "a.xml",
            CVAT.format('<box frame="0" xtl="1" ytl="1" xbr="2" ybr="2"/>' * 2),
            "the identity 1 is there twice",
        ),
        "name goes up": (
            "a.xml",
            "<annotations><meta><task><name>../x</name></task></meta></annotations>",
            "leaves the folder",
        ),
    },
}


@pytest.mark.parametrize(("name", "what"), [(name, what) for name in BAD for what in BAD[name]])
def test_a_bad_file(tmp_path, name, what):
    file, content, message = BAD[name][what]
    (tmp_path / file).write_text(content)
    with pytest.raises(AnnotationError, match=message) as raised:
        list(convert_labels(tmp_path / file, name, tmp_path / "out", "coco", drop=["unread"]))
    assert file in str(raised.value) and "\n" not in str(raised.value)
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("name", LABEL_FORMATS)
def test_a_missing_file(tmp_path, name):
    path = tmp_path / "absent.json"
    with pytest.raises((AnnotationError, OSError)) as raised:
        list(convert_labels(path, name, tmp_path / "out", "coco"))
    assert "absent.json" in f"{raised.value} {getattr(raised.value, 'filename', '')}"
    assert not (tmp_path / "out").exists()


def test_a_number_of_a_frame_in_the_billions(tmp_path):
    (tmp_path / "a.txt").write_text("1,1,1,2,3,4\n2000000000,1,1,2,3,4\n")
    with pytest.raises(AnnotationError, match=r"a\.txt: has a frame 2000000000, more than 10000000"):
        list(convert_labels(tmp_path / "a.txt", "mot", tmp_path / "out", "mot"))
    assert not (tmp_path / "out").exists()


def test_bad_pictures(tmp_path):
    folder = tmp_path / "in" / "a"
    folder.mkdir(parents=True)
    Image.fromarray(np.full((4, 6), 700, np.uint16)).save(folder / "0.png")
    with pytest.raises(AnnotationError, match=r"0\.png: holds values above 255"):
        LABEL_FORMATS["davis"].read(tmp_path / "in")
    (folder / "1.png").write_text("no picture")
    for name in ("davis", "mots-png"):
        (folder / "0.png").unlink(missing_ok=True)
        with pytest.raises(AnnotationError, match=r"1\.png: cannot be read"):
            LABEL_FORMATS[name].read(tmp_path / "in")


def test_what_a_target_cannot_hold_is_named_before_anything_is_written(tmp_path):
    source = tmp_path / "a.json"
    rows = [{"segmentation": MASK, "score": 0.5}, {**BOX, "track_id": 4}, {**BOX, "track_id": None, "image_id": 2}]
    source.write_text(coco(annotations=rows))

    def convert(name, drop=()):
        return list(convert_labels(source, "coco", tmp_path / name, name, drop=drop))

    with pytest.raises(AnnotationError, match="davis cannot hold 1 scores; 2 objects that lack identity and mask"):
        convert("davis")
    with pytest.raises(AnnotationError, match="--drop incomplete classes leaves them out"):
        convert("davis", ["scores"])
    assert not (tmp_path / "davis").exists()
    lines = convert("davis", ["scores", "incomplete", "classes"])
    assert lines[0].endswith("1 video, 2 frames, 3 objects, 2 tracks") and lines[-1].endswith("1 object, 1 track")
    assert sum(line.startswith("left out: ") for line in lines) == 3
    with pytest.raises(AnnotationError, match=r"mot cannot hold 1 masks .*; --drop masks"):
        convert("mot")
    with pytest.raises(AnnotationError, match="'color' is nothing that is lost"):
        convert("mot", ["color"])
    with pytest.raises(AnnotationError, match="'yolo9' is no format of labels"):
        convert("yolo9")
    with pytest.raises(FileExistsError):
        convert("davis", ["scores", "incomplete", "classes"])


def test_sizes_come_from_the_pictures(tmp_path):
    (tmp_path / "a.txt").write_text("1,1,1,2,3,4,1,1,1\n")
    with pytest.raises(AnnotationError, match="coco needs the sizes of the frames of a"):
        list(convert_labels(tmp_path / "a.txt", "mot", tmp_path / "out.json", "coco"))
    (tmp_path / "images" / "a").mkdir(parents=True)
    with pytest.raises(AnnotationError, match=r"a/00000\.jpg nor "):
        list(convert_labels(tmp_path / "a.txt", "mot", tmp_path / "out.json", "coco", images=tmp_path / "images"))
    Image.fromarray(np.zeros((4, 6), np.uint8)).save(tmp_path / "images" / "a" / "00000.jpg")
    list(convert_labels(tmp_path / "a.txt", "mot", tmp_path / "out.json", "coco", images=tmp_path / "images"))
    assert json.loads((tmp_path / "out.json").read_text())["images"][0]["width"] == 6


@pytest.mark.parametrize("key", ["name", "imDir"])
def test_a_name_in_a_description_of_a_sequence_is_told_there(key, tmp_path):
    (tmp_path / "a" / "gt").mkdir(parents=True)
    (tmp_path / "a" / "gt" / "gt.txt").write_text("1,1,1,2,3,4,1,1,1\n")
    (tmp_path / "a" / "seqinfo.ini").write_text(f"[Sequence]\n{key}=../b\n")
    with pytest.raises(AnnotationError, match=rf"seqinfo\.ini: {key}: '\.\./b' leaves the folder"):
        LABEL_FORMATS["mot"].read(tmp_path / "a")


def test_the_ending_of_pictures_of_a_sequence_is_looked_at(tmp_path):
    (tmp_path / "a" / "gt").mkdir(parents=True)
    (tmp_path / "a" / "gt" / "gt.txt").write_text("1,1,1,2,3,4,1,1,1\n")
    (tmp_path / "a" / "seqinfo.ini").write_text(f"[Sequence]\nseqLength=1\nimExt={'9' * 300}\n")
    with pytest.raises(AnnotationError, match=r"seqinfo\.ini: imExt: '0000019.* is no name of a file"):
        LABEL_FORMATS["mot"].read(tmp_path / "a")
