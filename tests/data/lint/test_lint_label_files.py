"""Planted defects in files of MOT, MOTS, DAVIS, labelme, CVAT and in footage: each is found; clean sets have none."""

import json
import shutil

import cv2
import numpy as np
import pytest
from label_cases import FrameFacts, LabeledVideo
from PIL import Image

from ictrack.data.lint import lint_annotations
from ictrack.structures.frame_tracks import VideoInfo
from ictrack.structures.json_files import AnnotationError
from ictrack.structures.labels import LABEL_FORMATS, label_set
from ictrack.structures.rle import encode_mask
from ictrack.structures.track_formats.rows import Row

HEIGHT, WIDTH, LENGTH = 48, 64, 4


def made(masks):
    """Two videos of four frames with two objects that move to the right."""
    videos = []
    for name in ("walk", "run"):
        video = LabeledVideo("made", VideoInfo(name, HEIGHT, WIDTH, 25.0, (), ()), {1: "object"}, folder=f"{name}/img1")
        for index in range(LENGTH):
            video.frames[index] = FrameFacts(f"{index + 1:06d}.png")
            for track_id, top in enumerate((4, 28)):
                mask = np.zeros((HEIGHT, WIDTH), bool)
                mask[top : top + 12, 4 + 6 * index : 16 + 6 * index] = True
                box = (4.0 + 6 * index, float(top), 16.0 + 6 * index, top + 12.0)
                video.add(index, Row(1, 1.0, None if masks else box, track_id, encode_mask(mask) if masks else None))
        videos.append(video)
    return label_set("made", videos)


@pytest.fixture
def planted(tmp_path):
    """A function that writes clean labels of a format and pictures, changes them, and gives (kind, text) of defects."""

    def check(name, change=lambda folder: None):
        folder, images = tmp_path / "labels", tmp_path / "images"
        LABEL_FORMATS[name].write(folder, made(masks=name in ("mots", "mots-png", "davis", "labelme")))
        for video in ("walk", "run"):
            (images / video / "img1").mkdir(parents=True)
            for index in range(LENGTH):
                Image.new("RGB", (WIDTH, HEIGHT)).save(images / video / "img1" / f"{index + 1:06d}.png")
        change(tmp_path)
        has_pictures = name == "mot"
        result = lint_annotations(folder, images if has_pictures else None)
        assert result.contents and list(result.defects.lines())
        return [(defect.kind, f"{defect.where}: {defect.text}") for defect in result.defects.found]

    return check


def lines(file, change):
    """A change of the lines of a text below the labels."""

    def apply(folder):
        path = folder / "labels" / file
        found = path.read_text().splitlines()
        change(found)
        path.write_text("\n".join(found) + "\n")

    return apply


def replace_line(number, old, new):
    def change(found):
        assert old in found[number]
        found[number] = found[number].replace(old, new, 1)

    return change


def text(file, old, new):
    def apply(folder):
        path = folder / "labels" / file
        content = path.read_text()
        assert old in content
        path.write_text(content.replace(old, new, 1))

    return apply


def shape(file, index, **values):
    """A change of a shape of a labelme file."""

    def apply(folder):
        path = folder / "labels" / file
        data = json.loads(path.read_text())
        data["shapes"][index].update(values)
        path.write_text(json.dumps(data))

    return apply


def pixels(file, change, dtype):
    def apply(folder):
        path = folder / "labels" / file
        values = np.array(Image.open(path)).astype(dtype)
        Image.fromarray(change(values)).save(path)

    return apply


GT = "walk/gt/gt.txt"
DEFECTS = {
    "mot: a word": ("mot", lines(GT, replace_line(2, "10,", "ten,")), "line", "line 3: 'ten' is not a number"),
    "mot: no box": (
        "mot",
        lines(GT, lambda found: found.__setitem__(5, "1,2")),
        "line",
        "line 6: has 2 numbers",
    ),
    "mot: identity twice": ("mot", lines(GT, replace_line(1, "1,2,", "1,1,")), "track", "is there twice in the frame"),
    "mot: box outside": ("mot", lines(GT, replace_line(0, ",4,4,", ",400,4,")), "box", "lies outside of the image"),
    "mot: negative box": ("mot", lines(GT, replace_line(0, ",12,12,", ",-12,12,")), "box", "has a negative side"),
    "mot: empty box": ("mot", lines(GT, replace_line(0, ",12,12,", ",0,12,")), "box", "is empty"),
    "mot: class": ("mot", lines(GT, replace_line(4, ",1,1,-1", ",1,2,-1")), "track", "is 'class 2', it began as"),
    "mot: score": ("mot", lines(GT, replace_line(4, ",1,1,-1", ",7,1,-1")), "score", "is 7, not from 0 to 1"),
    "mot: frame 0": ("mot", lines(GT, replace_line(0, "1,1,", "0,1,")), "line", "frames count from 1"),
    "mot: frame beyond the end": (
        "mot",
        lines(GT, replace_line(7, "4,2,", "9,2,")),
        "unreadable file",
        "states 4 frames",
    ),
    "mot: seqinfo": ("mot", text("walk/seqinfo.ini", "Length=4", "Length=x"), "unreadable file", "not a MOTChallenge"),
    "mot: no picture": (
        "mot",
        lambda folder: (folder / "images/walk/img1/000003.png").unlink(),
        "missing file",
        "000003.png: no such file",
    ),
    "mot: size of a picture": (
        "mot",
        lambda folder: Image.new("RGB", (HEIGHT, WIDTH)).save(folder / "images/walk/img1/000002.png"),
        "size",
        "the annotations say 64 x 48",
    ),
    "mot: no text": (
        "mot",
        lambda folder: (folder / "labels" / GT).write_bytes(b"\xff\xfe1"),
        "line|unread",
        "no text",
    ),
    "mots: sum of runs": ("mots", lines("walk.txt", replace_line(2, " 48 64 ", " 48 63 ")), "mask", "do not add up"),
    "mots: fields": ("mots", lines("walk.txt", replace_line(3, " 48 64 ", " 48 ")), "line", "line 4: has 5 fields"),
    "mots: identity twice": ("mots", lines("walk.txt", replace_line(1, "1 2 ", "1 1 ")), "track", "is there twice"),
    "mots-png: no picture": (
        "mots-png",
        lambda folder: (folder / "labels/walk/000002.png").write_text("no picture"),
        "unreadable file",
        "cannot be read",
    ),
    "mots-png: another size": (
        "mots-png",
        pixels("walk/000002.png", lambda values: values[:, :-1], np.uint16),
        "mask",
        "a mask of 63 x 48",
    ),
    "davis: another size": (
        "davis",
        pixels("walk/00002.png", lambda values: values[:-1], np.uint8),
        "unreadable file",
        "is 64 x 47, the first is 64 x 48",
    ),
    "labelme: no JSON": ("labelme", text("walk/000001.json", "{", "["), "unreadable file", "not valid JSON"),
    "labelme: points": (
        "labelme",
        shape("walk/000001.json", 0, points=[[1, "a"]]),
        "unreadable file",
        "list of [x, y]",
    ),
    "labelme: two points": (
        "labelme",
        shape("walk/000001.json", 0, points=[[1, 2]] * 2),
        "unreadable file",
        "three x, y",
    ),
    "labelme: no label": (
        "labelme",
        shape("walk/000001.json", 0, label=" "),
        "unreadable file",
        "label: must be a name",
    ),
    "labelme: classes of a group": (
        "labelme",
        shape("walk/000003.json", 0, label="rat"),
        "group",
        "group_id 0 is 'rat'",
    ),
    "labelme: a line": ("labelme", shape("walk/000001.json", 0, shape_type="line"), "left out", "shapes of the type"),
    "labelme: jump": (
        "labelme",
        shape("walk/000002.json", 0, points=[[60, 44], [63, 44], [63, 47], [60, 47]]),
        "jump",
        "jumps by 63 pixels in 1 frame",
    ),
    "cvat: no XML": ("cvat", text("walk.xml", "</annotations>", ""), "unreadable file", "not valid XML"),
    "cvat: entities": ("cvat", text("walk.xml", "<annotations>", "<!DOCTYPE a []><annotations>"), "unreadable", "type"),
    "cvat: number": ("cvat", text("walk.xml", 'xtl="4.0"', 'xtl="four"'), "unreadable file", "must be a finite number"),
    "cvat: identity twice": ("cvat", text("walk.xml", '<track id="1"', '<track id="0"'), "track", "is there twice"),
    "cvat: jump": (
        "cvat",
        text("walk.xml", 'xtl="10.0" ytl="4.0" xbr="22.0" ybr="16.0"', 'xtl="61.0" ytl="44.0" xbr="63.0" ybr="47.0"'),
        "jump",
        "jumps by 63 pixels in 1 frame",
    ),
    "cvat: negative box": ("cvat", text("walk.xml", 'xbr="16.0"', 'xbr="1.0"'), "box", "has a negative side"),
    "cvat: a polyline": (
        "cvat",
        text("walk.xml", "</track>", '<polyline frame="0" points="1,1;2,2"/></track>'),
        "left out",
        "1 shapes of the kind 'polyline'",
    ),
}


@pytest.mark.parametrize("name", ["mot", "mots", "mots-png", "davis", "labelme", "cvat"])
def test_clean_labels(planted, name):
    assert planted(name) == []


@pytest.mark.parametrize("what", DEFECTS)
def test_a_defect(planted, what):
    name, change, kinds, message = DEFECTS[what]
    found = planted(name, change)
    assert any(kind.startswith(tuple(kinds.split("|"))) and message in place for kind, place in found), found
    assert len(found) <= 6, found


def test_one_damaged_file_does_not_hide_another(planted):
    def damage(folder):
        lines(GT, replace_line(0, "1,1,", "x,1,"))(folder)
        lines("run/gt/gt.txt", replace_line(0, "1,1,", "y,1,"))(folder)

    assert [kind for kind, _ in planted("mot", damage)] == ["line", "line"]


@pytest.fixture
def footage(tmp_path):
    """A folder with a video of five numbered frames, and one of a file."""
    rng = np.random.default_rng(0)
    (tmp_path / "walk").mkdir()
    for index in range(5):
        cv2.imwrite(str(tmp_path / "walk" / f"{5 * index:05d}.png"), rng.integers(0, 255, (20, 30, 3), dtype=np.uint8))
    shutil.copy("tests/data/odd_videos/vfr.mkv", tmp_path / "run.mkv")
    return tmp_path


FOOTAGE = {
    "a frame is missing": (lambda folder: (folder / "walk/00010.png").unlink(), "order", "others come in steps of 5"),
    "a frame is no picture": (
        lambda folder: (folder / "walk/00010.png").write_text("x"),
        "unreadable file",
        "no image",
    ),
    "a frame is empty": (lambda folder: (folder / "walk/00010.png").write_text(""), "unreadable file", "no image"),
    "a frame is of another size": (
        lambda folder: Image.new("RGB", (20, 30)).save(folder / "walk/00010.png"),
        "size",
        "is 20 x 30, the frames before are 30 x 20",
    ),
    "a number is there twice": (
        lambda folder: shutil.copy(folder / "walk/00010.png", folder / "walk/00010.jpg"),
        "order",
        "has the number 10 of the frame before",
    ),
    "a video is none": (lambda folder: (folder / "run.mkv").write_text("x"), "unreadable file", "cannot be opened"),
    "two videos of one name": (
        lambda folder: shutil.copytree(folder / "walk", folder / "other" / "walk"),
        "name",
        "2 videos have this name",
    ),
}


def test_clean_footage(footage):
    result = lint_annotations(footage)
    assert result.defects.found == []
    assert result.contents == [f"{footage}: footage: 2 videos, of which 5 frames are images"]


@pytest.mark.parametrize("what", FOOTAGE)
def test_a_defect_of_footage(footage, what):
    change, kind, message = FOOTAGE[what]
    change(footage)
    found = [(defect.kind, defect.text) for defect in lint_annotations(footage).defects.found]
    assert any(kind == one and message in text for one, text in found), found
    assert len(found) <= 2, found


README = "Two clips.\n\nMade in 2024, 25 frames a second.\n"


def test_a_text_of_words_is_of_no_format(tmp_path):
    (tmp_path / "README.txt").write_text(README)
    with pytest.raises(AnnotationError, match=r"README\.txt: begins with 'Two clips\.', which is no row of numbers"):
        lint_annotations(tmp_path / "README.txt")


def test_a_text_of_words_beside_footage(footage):
    (footage / "README.txt").write_text(README)
    result = lint_annotations(footage)
    assert (result.defects.found, result.contents[0].split(": ")[1]) == ([], "footage")


@pytest.mark.parametrize(("name", "pattern"), [("mots", "*.txt"), ("cvat", "*.xml"), ("mot", "*/gt/gt.txt")])
def test_a_text_of_words_beside_labels_is_one_defect_at_most(planted, name, pattern):
    """Readers of the folder would refuse it, too, but for layouts and suffixes that leave it out."""

    def add(folder):
        assert list((folder / "labels").glob(pattern))
        (folder / "labels" / "README.txt").write_text(README)

    found = planted(name, add)
    assert [kind for kind, _ in found] == (["unreadable file"] if name == "mots" else [])
    assert all("README.txt: begins with 'Two clips.', which is no row of numbers" in place for _, place in found)
