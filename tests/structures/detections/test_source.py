"""Look-up of frames, and what is said of frames and videos that do not fit."""

import logging

import numpy as np
import pytest
from track_cases import HEIGHT, WIDTH, random_frame, video_info

from ictrack.structures.detections import DetectionSource, frame_of_arrays, frame_of_supervision
from ictrack.structures.frame_numbers import Numbering
from ictrack.structures.frame_tracks import VideoInfo, VideoTracks
from ictrack.structures.json_files import AnnotationError

SIZE = (HEIGHT, WIDTH)


def source(indices=(0, 1, 2), num=2, masks=False):
    rng = np.random.default_rng(0)
    frames = [random_frame(rng, index, num, masks, 0) for index in indices]
    return DetectionSource.of_videos("d.json", [VideoTracks(video_info(), frames)])


def test_frames_that_the_video_lacks_are_counted(caplog):
    detections = source((0, 1, 8, 9))
    for index in range(3):
        detections.frame(index, SIZE)
    with caplog.at_level(logging.WARNING):
        detections.end_video()
    assert "d.json: 2 of 4 frames with detections are not in the video" in caplog.text


@pytest.mark.parametrize("by_name", [False, True])
def test_no_frame_that_fits_is_an_error(by_name):
    detections = source((7, 8))
    for index in range(3):
        detections.frame(index, SIZE, file_name=f"image{index}.png" if by_name else "")
    with pytest.raises(
        AnnotationError, match=r"none of the 2 frames with detections, such as 00007.jpg, is in the video"
    ):
        detections.end_video()


def test_of_a_part_of_the_video_is_said_only_that_it_has_no_detections(caplog):
    detections = source((7, 8))
    for index, expected in (
        (7, ""),
        (4, "none of the 2 frames with detections, such as 00007.jpg, is in the part of the video that was read, "
            "frames 3 to 4"),
    ):  # fmt: skip
        caplog.clear()
        detections.frame(3, SIZE)
        detections.frame(index, SIZE)
        detections.end_video(is_complete=False)
        assert [record.getMessage() for record in caplog.records] == [f"d.json: {expected}"] * bool(expected)


@pytest.mark.parametrize(
    ("numbering", "level", "message"),
    [
        (Numbering.STATED, None, ""),
        (Numbering.NAMES, "INFO", "the numbers in names tell the frames: 00007.jpg is frame 7, from 0"),
        (Numbering.ORDER, "WARNING", "names such as 00007.jpg do not number the frames, which are taken in the order"),
    ],
)
def test_how_frames_of_a_video_file_are_numbered_is_said_once(caplog, numbering, level, message):
    frames = [random_frame(np.random.default_rng(0), index, 2, False, 0) for index in (7, 8)]
    detections = DetectionSource.of_videos("d.json", [VideoTracks(video_info(), frames, numbering)])
    with caplog.at_level(logging.INFO):
        detections.frame(7, SIZE, file_name="00007.png")
        detections.end_video(is_complete=False)
        assert not caplog.records
        for index in (7, 8):
            assert len(detections.frame(index, SIZE)) == 2
    assert [record.levelname for record in caplog.records] == [level] * (level is not None)
    assert message in caplog.text


def test_no_detections_at_all_are_fine():
    detections = source(num=0)
    assert not len(detections.frame(0, SIZE))
    detections.end_video()


def test_another_size_is_refused():
    with pytest.raises(AnnotationError, match="of frames of 17 x 12 pixels, but the video has 9 x 5"):
        source().frame(0, (5, 9))


def test_masks_of_another_size_are_refused():
    rng = np.random.default_rng(0)
    unknown = VideoInfo("walk", 0, 0, 0.0, ("person", "dog"), (1, 18))
    detections = DetectionSource.of_videos("d", [VideoTracks(unknown, [random_frame(rng, 0, 1, True, 0)])])
    with pytest.raises(AnnotationError, match="frame 0: the masks are of 17 x 12 pixels, but the video has 9 x 5"):
        detections.frame(0, (5, 9))


def test_one_video_s_detections_are_not_given_to_two():
    detections = source()
    detections.frame(0, SIZE, video_name="a")
    with pytest.raises(AnnotationError, match=r"d\.json: holds one video, 'a', and not 'b', too"):
        detections.frame(0, SIZE, video_name="b")


def test_classes_of_several_videos_are_matched_by_name():
    rng = np.random.default_rng(0)
    videos = [
        VideoTracks(VideoInfo(name, 0, 0, 0.0, classes, (1, 2)), [random_frame(rng, 0, 4, False, 0)])
        for name, classes in (("a", ("cat", "dog")), ("b", ("dog", "cow")))
    ]
    detections = DetectionSource.of_videos("d", videos)
    assert detections.class_names == ("cat", "dog", "cow")
    expected = videos[1].frames[0].classes + 1
    np.testing.assert_array_equal(detections.frame(0, SIZE, video_name="b").classes, expected)


def test_classes_without_names_are_numbered():
    frames = [frame_of_arrays(0, [[0, 0, 1, 1]], classes=[2])]
    detections = DetectionSource.of_videos("d", [VideoTracks(VideoInfo("a", 0, 0, 0.0, (), ()), frames)])
    assert detections.class_names == ("class 0", "class 1", "class 2")
    assert detections.frame(0, SIZE).classes.tolist() == [2]


def test_arrays():
    mask = np.zeros((2, *SIZE), np.uint8)
    mask[1, 3, 4] = 1
    frame = frame_of_arrays(3, [[0, 0, 1, 1], [4, 3, 5, 4]], [0.5, 0.25], masks=mask, keypoints=np.ones((2, 5, 2)))
    assert frame.scores.tolist() == [0.5, 0.25] and frame.classes.tolist() == [0, 0] and frame.ids is None
    assert frame.keypoints.shape == (2, 5, 3) and frame.rles[1]["size"] == list(SIZE)
    assert len(frame_of_arrays(0, [])) == 0
    with pytest.raises(ValueError, match="2 scores, but 1 classes"):
        frame_of_arrays(0, np.zeros((2, 4)), classes=[1])


def test_supervision_s_detections_are_known_by_their_fields():
    class Detections:
        xyxy = np.array([[0, 0, 4, 4]], np.float32)
        confidence = np.array([0.5], np.float32)
        class_id = np.array([3])
        tracker_id = None
        mask = None

    frame = frame_of_supervision(2, Detections())
    assert (frame.boxes.tolist(), frame.scores.tolist(), frame.classes.tolist()) == ([[0, 0, 4, 4]], [0.5], [3])
