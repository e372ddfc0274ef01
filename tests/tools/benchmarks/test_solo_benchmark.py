import shutil

import numpy as np
import pytest

from benchmarks import solo
from ictrack.structures.command_line import OutputError

CONFIG = "configs/SOLO/solo_R_50_FPN_1x.yaml"
SMALL = [
    "MODEL.RESNETS.DEPTH", "18", "MODEL.RESNETS.RES2_OUT_CHANNELS", "64", "MODEL.FPN.OUT_CHANNELS", "32",
    "MODEL.SOLO.CONV_DIM", "32", "MODEL.SOLO.NUM_CONVS", "1", "MODEL.SOLO.NUM_CLASSES", "3",
    "MODEL.SOLO.NUM_GRIDS", "[12, 10, 8, 6, 4]",
]  # fmt: skip


def test_a_run(monkeypatch):
    monkeypatch.setattr(solo, "_PROCESSES", 1)
    found = solo.benchmark_solo(CONFIG, (96, 128), 1, "", "", SMALL)
    assert found["cpu_seconds"] > 0 and 0 < found["outside_convolutions"] < 1
    assert found["detections"] > 10 and "ratio" not in found


def test_detections_are_compared(tmp_path):
    masks = np.packbits(np.array([1, 1, 0, 0, 0, 0, 0, 0], dtype=bool))
    ours = {"scores": np.array([0.5, 0.25]), "classes": np.array([1, 2]), "masks": masks}
    np.savez(tmp_path / "ours.npz", **ours)
    shutil.copy(tmp_path / "ours.npz", tmp_path / "theirs.npz")
    assert set(solo.compare(tmp_path).values()) == {2, 0.0}
    np.savez(tmp_path / "theirs.npz", scores=np.array([0.5, 0.5]), classes=np.array([1, 0]), masks=masks ^ 0b10000000)
    assert list(solo.compare(tmp_path).values()) == [2, 0.25, 1, 1 / 8]
    np.savez(tmp_path / "theirs.npz", **{**ours, "scores": np.zeros(3)})
    assert solo.compare(tmp_path) == {"mmdet_detections": 3}


def test_a_model_that_mmdetection_lacks():
    with pytest.raises(OutputError, match="mmdetection is compared on solo_R_50_FPN_1x, "):
        solo.benchmark_solo("configs/SOLO/adelaidet_solov2_R_50_FPN_3x.yaml", (96, 128), 1, "mmdet", "", [])
