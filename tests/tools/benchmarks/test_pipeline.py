"""The benchmark of the pipeline: figures by hand, and a short run."""

import pytest

from benchmarks.pipeline import benchmark_pipeline, cost_of_a_frame, pipeline_table
from ictrack.engine.video_run import TrackingSummary
from ictrack.structures.stage_clock import StageClock


def summary(frames, seconds, **stages):
    clock = StageClock()
    clock.seconds = stages
    return TrackingSummary(frames, 0, 1, 2 * frames, seconds, stages=clock)


def test_the_first_frames_cancel_out():
    short = summary(10, 8.0, decode=1.0, detect=6.0)
    long = summary(20, 12.0, decode=2.0, detect=8.0, track=1.0, draw=2.5)
    cost = cost_of_a_frame(short, long)
    assert cost["detections"] == 2 and cost["seconds"] == pytest.approx(0.4)
    assert cost["stages"] == pytest.approx({"decode": 0.1, "detect": 0.2, "track": 0.1, "draw": 0.25})
    threads = {"decode": 0.1, "model": 0.3, "save": 0, "draw": 0.25, "encode": 0}
    assert cost["threads"] == pytest.approx(threads)
    assert cost["to_largest"] == pytest.approx(0.4 / 0.3) and cost["to_sum"] == pytest.approx(0.4 / 0.65)


def test_a_short_run():
    result = benchmark_pipeline("", "", "", [3, 6], ["MODEL.DEVICE", "cpu"])
    assert set(result["stages"]) >= {"decode", "detect", "track", "save", "draw", "encode"}
    assert "of the largest thread" in pipeline_table(result)


def test_a_video_that_is_too_short(tmp_path):
    from benchmarks.pipeline import write_disks

    video = write_disks(tmp_path / "disks.mp4", 4)
    with pytest.raises(ValueError, match="has 4 frames, the long run 6"):
        benchmark_pipeline("", "", str(video), [3, 6], ["MODEL.DEVICE", "cpu"])
