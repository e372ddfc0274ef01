"""The detector and a real tracker over streams, with a detector whose right answer is known."""

import json
import logging
import threading
import weakref
from dataclasses import replace

import cv2
import numpy as np
import pytest
import torch
from color_detector import COLORS, ColorDetector, scene
from color_model import color_config
from detectron2.config import get_cfg
from detectron2.modeling import build_model
from detectron2.structures import BitMasks, Boxes, Instances
from pycocotools import mask as mask_util

from ictrack.config import add_ictrack_config
from ictrack.data.frame_stream import VideoReadError
from ictrack.data.video_io import open_frames
from ictrack.data.video_writer import VideoWriter
from ictrack.engine.video_run import track_video
from ictrack.engine.video_tracker import VideoTracker
from ictrack.structures.command_line import OutputError
from ictrack.structures.track_formats import FORMATS, TrackFormatError
from ictrack.structures.track_formats.json_lines import frame_line
from ictrack.structures.youtube_vis_json import check_ground_truth
from ictrack.tracking import build_tracker

NUM_FRAMES = 20


def make_video_tracker(tracker="EmbeddingTracker", model=None, **kwargs):
    cfg = get_cfg()
    add_ictrack_config(cfg)
    cfg.TRACKER_HEADS.TRACKER_NAME = tracker
    model = model or ColorDetector(kwargs.get("image_format", "BGR"))
    return VideoTracker(model, lambda height, width: build_tracker(cfg, height, width), **kwargs)


def write_images(folder, indices=range(NUM_FRAMES)):
    folder.mkdir()
    for index in indices:
        cv2.imwrite(str(folder / f"{index:05d}.png"), scene(index))
    return folder


def write_clip(path):
    with VideoWriter(path, 12) as writer:
        for index in range(NUM_FRAMES):
            writer.write(scene(index))
    return path


def colors_by_id(tracked):
    """identity -> the set of categories that it was given to."""
    found = {}
    for _, instances in tracked:
        for track_id, category in zip(instances.ID.tolist(), instances.pred_classes.tolist()):
            found.setdefault(track_id, set()).add(category)
    return found


def test_identities_follow_the_objects_through_crossing_and_absence(tmp_path):
    found = colors_by_id(make_video_tracker().run(write_clip(tmp_path / "clip.mp4")))
    assert sorted(map(tuple, found.values())) == [(0,), (1,), (2,)]


def test_frames_and_instances_are_of_the_frames_size(tmp_path):
    tracker = make_video_tracker(min_size=32, max_size=1000)
    for index, (frame, instances) in enumerate(tracker.run(write_images(tmp_path / "walk"))):
        np.testing.assert_array_equal(frame, scene(index))
        assert instances.image_size == (64, 96) and instances.pred_masks.shape[1:] == (64, 96)
        red = np.all(frame == COLORS[0], axis=-1)
        mask = instances.pred_masks[instances.pred_classes.tolist().index(0)].numpy()
        assert (mask & red).sum() / (mask | red).sum() > 0.7
    assert tracker.num_frames == NUM_FRAMES
    assert set(tracker.model.seen) == {(3, 32, 48)}


@pytest.mark.parametrize("image_format", ["BGR", "RGB"])
def test_detector_gets_its_channel_order(tmp_path, image_format):
    tracker = make_video_tracker(image_format=image_format)
    _, instances = next(tracker.run(write_images(tmp_path / "walk", [0])))
    assert instances.pred_classes.tolist() == [0, 1, 2]


def test_unknown_channel_order_is_refused():
    with pytest.raises(ValueError, match="YUV-BT"):
        make_video_tracker(image_format="YUV-BT.601")


def test_autocast_reaches_the_detector(tmp_path, bfloat16_cpu):
    class Probe(ColorDetector):
        def forward(self, batched_inputs):
            self.autocast = torch.is_autocast_enabled("cpu")
            return super().forward(batched_inputs)

    for amp in (False, True):
        tracker = make_video_tracker(model=Probe(), amp=amp)
        tracker.detect(scene(0))
        assert tracker.model.autocast is amp


@pytest.mark.parametrize("name", ["SpatialTracker", "IOUWeightedHungarianBBoxIOUTracker", "BBoxIOUTracker"])
def test_other_trackers_run(tmp_path, name):
    tracker = make_video_tracker(name)
    tracked = list(tracker.run(write_images(tmp_path / "walk")))
    assert len(tracked) == NUM_FRAMES
    for _, instances in tracked:
        assert instances.ID.dtype == torch.int64
        assert len(set(instances.ID.tolist())) == len(instances) > 0


def found_by(make_instances):
    """Detector that returns what a function of (height, width) makes."""

    class Detector(ColorDetector):
        def forward(self, batched_inputs):
            return [{"instances": make_instances((x["height"], x["width"]))} for x in batched_inputs]

    return make_video_tracker("SpatialTracker", model=Detector(), classes=[0], min_size=32)


def square(size, **fields):
    fields = {"scores": torch.ones(1), "pred_classes": torch.zeros(1, dtype=torch.int64), **fields}
    return Instances(size, pred_boxes=Boxes(torch.tensor([[4.0, 4.0, 20.0, 20.0]])), **fields)


def test_detections_of_any_kind(tmp_path):
    folder = write_images(tmp_path / "walk", range(3))
    kinds = {
        "nothing": lambda size: Instances(size),
        "bit masks": lambda size: square(size, pred_masks=BitMasks(torch.ones(1, *size, dtype=torch.bool))),
        "soft masks": lambda size: square(size, pred_masks=torch.full((1, *size), 0.7)),
        "lists": lambda size: square(size, names=["a"]),
    }
    for name, make_instances in kinds.items():
        summary = track_video(found_by(make_instances), folder, tmp_path / "out.mp4", save_tracks=tmp_path / "out.csv")
        assert (summary.frames, summary.detections) == (3, 0 if name == "nothing" else 3)


@pytest.mark.parametrize(("best", "is_told"), [(0.28, True), (0.9, False)])
def test_it_is_told_that_all_detections_score_too_little(tmp_path, caplog, best, is_told):
    scores = iter((0.25, best, 0.2))
    tracker = found_by(lambda size: square(size, scores=torch.tensor([next(scores)])))
    with caplog.at_level(logging.WARNING):
        track_video(tracker, write_images(tmp_path / "walk", range(3)), save_tracks=tmp_path / "out.csv")
    assert ("3 of 3 detections were not tracked" in caplog.text) is is_told
    assert ("the best scores 0.28" in caplog.text) is is_told


def test_detections_at_another_scale_are_refused():
    for make_instances, message in (
        (lambda size: square((32, 48)), r"an image of \(32, 48\), the frame is \(64, 96\)"),
        (lambda size: square(size, pred_masks=torch.ones(1, 32, 48)), r"`pred_masks` has the shape \(1, 32, 48\)"),
    ):
        with pytest.raises(ValueError, match=message):
            found_by(make_instances).detect(scene(0))


def test_a_detector_of_no_instances_is_named():
    class Semantic(ColorDetector):
        def forward(self, batched_inputs):
            return [{"sem_seg": torch.zeros(2, 64, 96)} for _ in batched_inputs]

    with pytest.raises(ValueError, match=r"Semantic finds no instances: its output has \['sem_seg'\]"):
        make_video_tracker(model=Semantic()).detect(scene(0))


def test_no_limit_of_the_longer_side():
    tracker = make_video_tracker(min_size=128)
    tracker.detect(scene(0))
    assert tracker.model.seen == [(3, 128, 192)]


def test_unreadable_frames_count_as_empty_ones(tmp_path):
    """An object that comes back after 15 frames far from where it was, within the limit of motion."""
    ids = []
    for name in ("empty", "broken"):
        folder = tmp_path / name
        folder.mkdir()
        for index in range(17):
            picture = scene(0) if index in (0, 16) else np.full_like(scene(0), 90)
            cv2.imwrite(str(folder / f"{index:05d}.png"), np.roll(picture, 24 if index else 0, axis=1))
            if name == "broken" and 0 < index < 16:
                (folder / f"{index:05d}.png").write_bytes(b"damaged")
        tracker = make_video_tracker()
        tracker.make_tracker = speed_limited
        ids.append([instances.ID.tolist() for _, instances in tracker.run(folder) if len(instances)])
    assert ids[0] == ids[1] and len(ids[0]) == 2 and ids[0][0] == ids[0][1]


def speed_limited(height, width):
    cfg = get_cfg()
    add_ictrack_config(cfg)
    cfg.TRACKER_HEADS.MAX_SPEED = 0.5
    return build_tracker(cfg, height, width)


def test_two_videos_at_once_by_one_model(tmp_path):
    folders = [write_images(tmp_path / name) for name in ("one", "other")]
    model = build_model(color_config()).eval()
    wait = threading.Barrier(2, timeout=60)
    model.detector.backbone.register_forward_pre_hook(lambda *_: (wait.wait(), None)[1])  # all in step
    trackers = [make_video_tracker(model=model) for _ in folders]
    threads = [
        threading.Thread(target=track_video, args=(tracker, folder), kwargs={"save_tracks": f"{folder}.json"})
        for tracker, folder in zip(trackers, folders)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    saved = [json.loads((tmp_path / f"{name}.json").read_text()) for name in ("one", "other")]
    assert saved[0]["annotations"] == saved[1]["annotations"] and saved[0]["annotations"]


def test_two_chunks_equal_the_whole(tmp_path):
    folders = {
        "whole": write_images(tmp_path / "whole"),
        "first": write_images(tmp_path / "first", range(9)),
        "second": write_images(tmp_path / "second", range(9, NUM_FRAMES)),
    }
    whole, chunked = [], []
    list(make_video_tracker().run(folders["whole"], recorder=whole.append))
    tracker = make_video_tracker()
    list(tracker.run(folders["first"], recorder=chunked.append))
    list(tracker.run(folders["second"], recorder=chunked.append, resume=True))
    assert tracker.num_frames == NUM_FRAMES
    assert [frame.time for frame in chunked] == pytest.approx([frame.time for frame in whole])
    timeless = [[frame_line(replace(frame, time=None)) for frame in frames] for frames in (whole, chunked)]
    assert timeless[0] == timeless[1] and len(whole) == NUM_FRAMES
    assert len({track_id for frame in whole for track_id in frame.ids.tolist()}) == 3


def test_without_resume_a_video_starts_afresh(tmp_path):
    folder = write_images(tmp_path / "walk")
    tracker = make_video_tracker()
    first = [instances.ID.tolist() for _, instances in tracker.run(folder)]
    assert [instances.ID.tolist() for _, instances in tracker.run(folder)] == first


def test_chunk_of_another_size_is_refused(tmp_path):
    tracker = make_video_tracker()
    list(tracker.run(write_images(tmp_path / "walk")))
    cv2.imwrite(str(tmp_path / "large.png"), scene(0, 80, 96))
    with pytest.raises(VideoReadError, match="large"):
        next(tracker.run(tmp_path / "large.png", resume=True))


def test_nothing_of_a_frame_is_kept(tmp_path):
    tracker, recorded, kept = make_video_tracker(), [], []
    for frame, instances in tracker.run(write_clip(tmp_path / "clip.mp4"), recorder=recorded.append):
        kept.append((weakref.ref(frame), weakref.ref(instances.pred_masks)))
        del frame, instances
        alive = [index for index, refs in enumerate(kept[:-1]) if any(ref() is not None for ref in refs)]
        assert not alive, f"frames {alive} are still in memory at frame {len(kept) - 1}"


def test_track_video_writes_the_drawn_video(tmp_path):
    summary = track_video(make_video_tracker(), write_clip(tmp_path / "clip.mp4"), tmp_path / "out" / "tracked.mp4")
    assert (summary.frames, summary.bad_frames, summary.tracks) == (NUM_FRAMES, 0, 3)
    assert summary.detections == 3 * NUM_FRAMES - 6
    assert "20 frames, 3 tracks, 54 detections" in str(summary)
    drawn = open_frames(tmp_path / "out" / "tracked.mp4")
    assert (drawn.length, drawn.fps) == (NUM_FRAMES, 12)
    assert (drawn.height, drawn.width) == (4 * 64, 4 * 96), "small frames are enlarged"
    for index, frame in drawn:
        plain = cv2.resize(scene(index), (4 * 96, 4 * 64))
        assert 3 < np.abs(frame.astype(int) - plain).mean() < 40


def test_saved_tracks_are_a_youtube_vis_file(tmp_path):
    path = tmp_path / "tracks.json"
    tracker = make_video_tracker(class_names=["red", "green", "blue"], category_ids=[7, 3, 40])
    track_video(tracker, write_images(tmp_path / "walk"), save_tracks=path)
    content = json.loads(path.read_text())
    check_ground_truth(content)
    (video,) = content["videos"]
    assert (video["height"], video["width"], video["length"]) == (64, 96, NUM_FRAMES)
    assert video["file_names"][:2] == ["walk/00000.png", "walk/00001.png"]
    assert content["categories"] == [{"id": 7, "name": "red"}, {"id": 3, "name": "green"}, {"id": 40, "name": "blue"}]
    blue = next(annotation for annotation in content["annotations"] if annotation["category_id"] == 40)
    assert blue["score"] == pytest.approx(0.9) and blue["id"] == blue["track_id"] + 1
    for index in range(NUM_FRAMES):
        expected = np.all(scene(index) == COLORS[2], axis=-1)
        if 6 <= index < 12:
            assert blue["segmentations"][index] is blue["bboxes"][index] is blue["areas"][index] is None
        else:
            np.testing.assert_array_equal(mask_util.decode(blue["segmentations"][index]), expected)
            assert blue["bboxes"][index] == [20 + index, 44, 14, 14] and blue["areas"][index] == 14 * 14
    assert [file.name for file in tmp_path.iterdir() if file.is_file()] == ["tracks.json"]


def test_saved_tracks_of_nothing_are_valid(tmp_path):
    cv2.imwrite(str(tmp_path / "grey.png"), np.full((64, 96, 3), 90, np.uint8))
    summary = track_video(make_video_tracker(), tmp_path / "grey.png", save_tracks=tmp_path / "tracks.json")
    content = json.loads((tmp_path / "tracks.json").read_text())
    check_ground_truth(content)
    assert content["annotations"] == [] and summary.tracks == 0


def test_unreadable_frame_leaves_a_gap_at_its_index(tmp_path, caplog):
    folder = write_images(tmp_path / "walk")
    (folder / "00003.png").write_text("not an image")
    with caplog.at_level(logging.WARNING):
        summary = track_video(make_video_tracker(), folder, save_tracks=tmp_path / "tracks.json")
    assert "00003.png" in caplog.text
    assert (summary.frames, summary.bad_frames, summary.tracks) == (NUM_FRAMES, 1, 3)
    assert "20 frames (1 unreadable)" in str(summary)
    for annotation in json.loads((tmp_path / "tracks.json").read_text())["annotations"]:
        present = [segmentation is not None for segmentation in annotation["segmentations"]]
        assert present[2] and not present[3] and present[4]


def test_max_frames(tmp_path):
    folder = write_images(tmp_path / "walk")
    summary = track_video(make_video_tracker(), folder, save_tracks=tmp_path / "tracks.json", max_frames=5)
    assert summary.frames == 5
    assert json.loads((tmp_path / "tracks.json").read_text())["videos"][0]["length"] == 5


def test_interruption_keeps_what_was_tracked(tmp_path, caplog):
    class Interrupted(ColorDetector):
        def forward(self, batched_inputs):
            if len(self.seen) == 5:
                raise KeyboardInterrupt
            return super().forward(batched_inputs)

    clip = write_clip(tmp_path / "clip.mp4")
    tracker = make_video_tracker(model=Interrupted())
    summary = track_video(tracker, clip, tmp_path / "out.mp4", save_tracks=tmp_path / "tracks.json")
    assert summary.frames == 5 and "stopped after 5 frames" in caplog.text
    assert open_frames(tmp_path / "out.mp4").length == 5
    check_ground_truth(json.loads((tmp_path / "tracks.json").read_text()))


def test_output_over_the_input_is_refused(tmp_path):
    clip = write_clip(tmp_path / "clip.mp4")
    before = clip.read_bytes()
    with pytest.raises(OutputError, match="is the input"):
        track_video(make_video_tracker(), clip, tmp_path / "." / "clip.mp4")
    assert clip.read_bytes() == before


def test_boxes_are_drawn_and_saved(tmp_path):
    clip = write_clip(tmp_path / "clip.mp4")
    tracker = make_video_tracker(model=ColorDetector(with_masks=False), class_names=["red", "green", "blue"])
    assert track_video(tracker, clip, tmp_path / "out.mp4", save_tracks=tmp_path / "tracks.json").tracks == 3
    (video,) = FORMATS["coco"].read(tmp_path / "tracks.json")
    assert video.info.class_names == ("red", "green", "blue") and len(video.frames) == NUM_FRAMES
    assert len({track_id for frame in video.frames for track_id in frame.ids.tolist()}) == 3
    assert video.frames[7].time == pytest.approx(7 / 12)


def test_masks_of_a_box_detector_are_refused_at_the_first_frame(tmp_path):
    clip, model = write_clip(tmp_path / "clip.mp4"), ColorDetector(with_masks=False)
    with pytest.raises(TrackFormatError, match=r"tracks\.json: this format holds masks"):
        track_video(
            make_video_tracker(model=model), clip, save_tracks=tmp_path / "tracks.json", track_format="youtube-vis"
        )
    assert len(model.seen) == 1 and [path.name for path in tmp_path.iterdir()] == ["clip.mp4"]


def test_a_gallery_of_crops(tmp_path):
    tracker = make_video_tracker(class_names=["red", "green", "blue"])
    track_video(tracker, write_images(tmp_path / "walk"), crop_gallery=tmp_path / "gallery")
    assert sorted(path.name for path in (tmp_path / "gallery").glob("*.jpg")) == [
        "00000_red.jpg", "00001_green.jpg", "00002_blue.jpg",
    ]  # fmt: skip


def test_poses_are_saved(tmp_path):
    class Poses(ColorDetector):
        def forward(self, batched_inputs):
            (output,) = super().forward(batched_inputs)
            instances = output["instances"]
            centers = instances.pred_boxes.get_centers()
            scores = torch.full((len(instances), 1), 0.75)
            instances.pred_keypoints = torch.cat([centers, scores], dim=1)[:, None].expand(-1, 17, -1)
            return [output]

    tracker = make_video_tracker(model=Poses(with_masks=False))
    track_video(tracker, write_images(tmp_path / "walk"), save_tracks=tmp_path / "t.json", track_format="posetrack")
    (video,) = FORMATS["posetrack"].read(tmp_path / "t.json")
    assert video.frames[0].keypoints[:, 13].tolist() == [[15, 15, 0.75], [75, 33, 0.75], [27, 51, 0.75]]


@pytest.mark.parametrize("name", ["EmbeddingTracker", "SpatialTracker"])
@pytest.mark.parametrize(("limit", "left_out"), [(1, 2 * 3), (2, 3), (3, 0), (10, 0)])
def test_detections_beyond_the_limit_are_counted_once(tmp_path, caplog, name, limit, left_out):
    tracker = make_video_tracker(name)
    make = tracker.make_tracker

    def limited(height, width):
        made = make(height, width)
        made.max_detections = limit
        return made

    tracker.make_tracker = limited
    folder = write_images(tmp_path / "walk", range(3))  # three objects in each
    with caplog.at_level(logging.WARNING):
        for _ in range(2):  # each video counts its own
            caplog.clear()
            list(tracker.run(folder))
            told = [message for message in caplog.messages if "MAX_DETECTIONS" in message]
            assert len(told) == (left_out > 0)
            assert not told or f"walk: {left_out} detections were not tracked" in told[0]


def test_a_window_shows_drawn_frames_and_q_stops(tmp_path, monkeypatch):
    shown = []
    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(cv2, "namedWindow", lambda *arguments: None)
    monkeypatch.setattr(cv2, "destroyWindow", lambda title: None)
    monkeypatch.setattr(cv2, "imshow", lambda title, image: shown.append(image))
    monkeypatch.setattr(cv2, "waitKey", lambda delay: ord("q") if len(shown) >= 3 else -1)
    source = write_clip(tmp_path / "clip.mp4")
    summary = track_video(make_video_tracker(), source, show=True, save_tracks=tmp_path / "tracks.csv")
    assert summary.stopped and 3 <= summary.frames <= NUM_FRAMES and (tmp_path / "tracks.csv").is_file()
    assert all(image.ndim == 3 and image.any() for image in shown)
