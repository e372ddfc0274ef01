"""MOTChallenge files of tracks are what the official evaluation takes."""

import numpy as np
import pytest

from ictrack.evaluation.reports.mot import mot_report
from ictrack.structures.frame_tracks import FrameTracks, VideoInfo
from ictrack.structures.track_formats.mot import read, write


def frames(num_frames=6):
    for index in range(num_frames):
        boxes = np.array([[5.0 + index, 5, 25 + index, 45], [60.0 - index, 10, 80 - index, 50]])
        yield FrameTracks(index, np.array([0.9, 0.8]), np.zeros(2, int), boxes, np.array([0, 1]))


@pytest.mark.parametrize(("names", "ids"), [(("person", "dog"), (1, 18)), (("sheep",), (20,)), ((), ())])
def test_they_are_evaluated(tmp_path, names, ids):
    """A ground truth of the same boxes gives full scores; the one class of a detector counts as pedestrians."""
    (tmp_path / "gt" / "walk" / "gt").mkdir(parents=True)
    (tmp_path / "gt" / "walk" / "seqinfo.ini").write_text("[Sequence]\nname=walk\nseqLength=6\n")
    rows = [
        f"{frame.index + 1},{number},{x0},{y0},{x1 - x0},{y1 - y0},1,1,1\n"
        for frame in frames()
        for number, (x0, y0, x1, y1) in enumerate(frame.boxes, 1)
    ]
    (tmp_path / "gt" / "walk" / "gt" / "gt.txt").write_text("".join(rows))
    write(tmp_path / "results" / "walk.txt", VideoInfo("walk", 60, 100, 25.0, names, ids), frames())
    report = mot_report(tmp_path / "gt", tmp_path / "results", benchmark="MOT17")
    scores = report["combined"]
    assert scores["hota"]["HOTA"] == pytest.approx(1)
    assert scores["clear"]["MOTA"] == scores["identity"]["IDF1"] == 1


def test_rows(tmp_path):
    write(tmp_path / "t.txt", VideoInfo("walk", 60, 100, 25.0, ("a", "b"), (7, 3)), list(frames(1)))
    assert (tmp_path / "t.txt").read_text() == "1,1,5.0,5.0,20.0,40.0,0.9,7,-1\n1,2,60.0,10.0,20.0,40.0,0.8,7,-1\n"


@pytest.mark.parametrize(("path", "name"), [("MOT17-02/gt/gt.txt", "MOT17-02"), ("MOT17-02.txt", "MOT17-02")])
def test_the_video_has_the_sequence_s_name(tmp_path, path, name):
    (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / path).write_text("1,2,0,0,1,1,1,1,1\n")
    (video,) = read(tmp_path / path)
    assert video.info.name == name and video.frames[0].ids.tolist() == [1]
