"""The data benchmark compares like with like; how fast is not tested here."""

import cv2
import pytest

from benchmarks.data import SOURCE_SIZE, benchmark_data, write_frames


def test_figures_of_all_readers():
    figures = benchmark_data(repeats=2, opts=["INPUT.UNLABELED.ROTATION", "0.0"])
    cpu = {name: figures[name]["median_cpu_ms"] for name in ("detectron2", "reader", "mapper")}
    assert all(value > 0 for value in cpu.values())
    assert figures["speedup"] == pytest.approx(cpu["detectron2"] / cpu["reader"])
    assert figures["mapper_speedup"] == pytest.approx(cpu["detectron2"] / cpu["mapper"])


def test_frames_are_like_photos_and_move(tmp_path):
    paths = write_frames(str(tmp_path), 2)
    first, second = map(cv2.imread, paths)
    assert first.shape == (*SOURCE_SIZE, 3)
    moved = cv2.absdiff(first[:, 8:], second[:, :-8]).mean()
    assert moved < 0.3 * cv2.absdiff(first, second).mean()
    bits = 8 * (tmp_path / "00000.jpg").stat().st_size / (SOURCE_SIZE[0] * SOURCE_SIZE[1])
    assert 1 < bits < 2
