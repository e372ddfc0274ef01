"""Finding unlabeled videos in every layout, leaving some out, registering them."""

import json
import os
from pathlib import Path

import pytest
from detectron2.data import DatasetCatalog, MetadataCatalog
from unlabeled_scene import write_file, write_folder

from ictrack.data.datasets.unlabeled_videos import (
    exclude_videos,
    find_videos,
    register_all_unlabeled_videos,
    register_unlabeled_videos,
)
from ictrack.data.datasets.youtube_vis import register_youtube_vis
from ictrack.data.frame_stream import VideoReadError
from ictrack.structures.json_files import AnnotationError


def names(records):
    return [record["video_name"] for record in records]


def touch(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.touch()


@pytest.fixture
def collection(tmp_path):
    """Files and folders as they are found in the wild; nothing of it is opened."""
    for name in (
        "b/10.jpg",
        "b/9.jpg",
        "b/._9.jpg",
        "b/notes.md",
        "a/deep/1.JPEG",
        "clip.mp4",
        "x/film.MOV",
        ".git/1.jpg",
    ):
        touch(tmp_path / name)
    return tmp_path


def test_a_folder_is_searched_in_natural_order(collection):
    records = find_videos(str(collection))
    assert names(records) == ["clip", "deep", "b", "film"]
    assert [Path(path).name for path in records[2]["file_names"]] == ["9.jpg", "10.jpg"]
    assert records[3] == {"video_name": "film", "video_file": str(collection / "x/film.MOV")}


def test_youtube_vos_layout_leaves_its_annotations_out(tmp_path):
    for folder in ("JPEGImages/v1", "JPEGImages/v2", "Annotations/v1"):
        touch(tmp_path / folder / "00000.jpg")
    touch(tmp_path / "preview.png")
    assert names(find_videos(str(tmp_path))) == ["v1", "v2"]
    assert names(find_videos(str(tmp_path / "JPEGImages"))) == ["v1", "v2"]


def test_globs_of_files_folders_and_frames(collection):
    assert names(find_videos(f"{collection}/*")) == ["deep", "b", "clip", "film"]
    assert names(find_videos(f"{collection}/**/*.mp4")) == ["clip"]
    (record,) = find_videos(f"{collection}/b/*.jpg")
    assert (record["video_name"], len(record["file_names"])) == ("b", 2)


def test_a_list_in_a_text_file(collection):
    listing = collection / "lists" / "videos.txt"
    listing.parent.mkdir()
    listing.write_text(f"# unlabeled\n../b\n\n../*.mp4  # relative to this file\n{collection}/x/film.MOV\n")
    assert names(find_videos(str(listing))) == ["b", "clip", "film"]
    listing.write_text("# unlabeled\n\n../nowhere\n")
    with pytest.raises(VideoReadError, match=r"videos\.txt: line 3: .*nowhere: no such file, folder or glob"):
        find_videos(str(listing))
    listing.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(VideoReadError, match=r"videos\.txt: not a text file"):
        find_videos(str(listing))


def test_frames_a_second_belong_to_folders(collection):
    records = find_videos([str(collection / "b"), str(collection / "clip.mp4")], fps=6)
    assert records[0]["fps"] == 6 and "fps" not in records[1]


def test_links_in_circles_end(collection):
    os.symlink(collection, collection / "b" / "again")
    assert names(find_videos(str(collection))) == ["clip", "deep", "b", "film"]


def test_empty_folders_are_named(collection, caplog):
    (collection / "nothing").mkdir()
    assert len(find_videos(str(collection))) == 4
    assert f"{collection / 'nothing'}: holds neither images nor videos" in caplog.text


def test_sources_without_any_video_are_errors(tmp_path):
    with pytest.raises(VideoReadError, match="no video file"):
        find_videos(str(tmp_path))
    with pytest.raises(VideoReadError, match=r"absent: no such file"):
        find_videos(str(tmp_path / "absent"))
    with pytest.raises(VideoReadError, match="nothing matches"):
        find_videos(str(tmp_path / "*.mp4"))


def test_evaluation_videos_are_left_out(tmp_path, collection, caplog):
    records = find_videos(str(collection))
    valid = tmp_path / "valid.json"
    video = {"id": 1, "width": 8, "height": 8, "length": 1, "file_names": ["deep/00000.jpg"]}
    valid.write_text(json.dumps({"videos": [video], "categories": [], "annotations": None}))
    listing = tmp_path / "names.txt"
    listing.write_text("film\nunknown\n")
    with caplog.at_level("INFO", logger="ictrack"):
        assert names(exclude_videos(records, [str(valid), str(listing), "b"])) == ["clip"]
    assert "3 of 4 unlabeled videos are excluded (4 names" in caplog.text
    assert exclude_videos(records, []) == records
    valid.write_text("{")
    with pytest.raises(AnnotationError, match=r"valid\.json"):
        exclude_videos(records, [str(valid)])


def test_videos_of_registered_data_sets_are_left_out(tmp_path, collection):
    records = find_videos(str(collection))
    video = {"id": 1, "width": 8, "height": 8, "length": 1, "file_names": ["deep/00000.jpg"]}
    (tmp_path / "valid.json").write_text(json.dumps({"videos": [video], "categories": []}))
    register_youtube_vis("exclude_labeled", str(tmp_path / "valid.json"), str(tmp_path))
    register_unlabeled_videos("exclude_unlabeled", [str(collection / "x/film.MOV")])
    try:
        kept = names(exclude_videos(records, ["exclude_labeled", "exclude_unlabeled"]))
        assert kept == [name for name in names(records) if name not in ("deep", "film")] and len(kept) == 2
    finally:
        for name in ("exclude_labeled", "exclude_unlabeled"):
            DatasetCatalog.remove(name)
            MetadataCatalog.remove(name)


def test_registered_videos_are_found_when_used(tmp_path):
    name = "unlabeled_test_registered"
    register_unlabeled_videos(name, [str(tmp_path / "videos")], fps=12)
    try:
        write_folder(tmp_path / "videos" / "walk", 3)
        write_file(tmp_path / "videos" / "run.mp4", 3)
        records = DatasetCatalog.get(name)
        assert names(records) == ["run", "walk"]
        assert records[1]["fps"] == 12
        assert MetadataCatalog.get(name).sources == [str(tmp_path / "videos")]
    finally:
        DatasetCatalog.remove(name)
        MetadataCatalog.remove(name)


def test_public_data_sets_are_registered(tmp_path, monkeypatch):
    public = ("ytvos_2019_train_unlabeled", "posetrack18_train_unlabeled")
    assert set(public) <= set(DatasetCatalog.list())
    touch(tmp_path / "ytvos_2019/train/JPEGImages/003234408d/00000.jpg")
    touch(tmp_path / "posetrack18/images/train/000001_bonn_train/000000.jpg")
    catalog = {}
    monkeypatch.setattr("ictrack.data.datasets.unlabeled_videos.DatasetCatalog", catalog, raising=True)
    monkeypatch.setattr(
        "ictrack.data.datasets.unlabeled_videos.register_unlabeled_videos",
        lambda name, root: catalog.update({name: root}),
    )
    register_all_unlabeled_videos(str(tmp_path))
    assert [names(find_videos(catalog[name])) for name in public] == [["003234408d"], ["000001_bonn_train"]]
