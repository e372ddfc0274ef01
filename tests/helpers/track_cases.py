"""Random videos of tracks, for round trips through file formats."""

from __future__ import annotations

import numpy as np
from hypothesis import strategies as st

from ictrack.structures.frame_tracks import FrameTracks, VideoInfo
from ictrack.structures.joints import POSETRACK_15
from ictrack.structures.rle import encode_mask

HEIGHT, WIDTH = 12, 17


def video_info(joint_names=()):
    return VideoInfo("walk", HEIGHT, WIDTH, 12.5, ("person", "dog"), (1, 18), tuple(joint_names))


@st.composite
def videos(draw, *, masks=None, poses=None, joints=POSETRACK_15, separate=False):
    """(VideoInfo, frames): 1 to 6 frames with up to 4 tracks, a float32 box each as detectors give, and gaps.

    Args:
        masks, poses: Whether there are any; None: either.
        joints: Joints of the poses.
        separate: Whether no pixel belongs to two masks, and no mask is empty.
    """
    masks = draw(st.booleans()) if masks is None else masks
    poses = draw(st.booleans()) if poses is None else poses
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    frames = [
        random_frame(rng, index, draw(st.integers(0, 4)), masks, len(joints) if poses else 0, separate)
        for index in range(draw(st.integers(1, 6)))
    ]
    return video_info(joints.names if poses else ()), frames


def random_frame(rng, index, num, masks, num_joints, separate=False):
    x, y = np.sort(rng.uniform(0, WIDTH, (num, 2))), np.sort(rng.uniform(0, HEIGHT, (num, 2)))
    boxes = np.stack([x[:, 0], y[:, 0], x[:, 1], y[:, 1]], axis=1).astype(np.float32).astype(np.float64)
    keypoints = None
    if num_joints:
        keypoints = rng.uniform(0.001, [WIDTH, HEIGHT, 1], (num, num_joints, 3)).astype(np.float32).astype(np.float64)
        keypoints[rng.random((num, num_joints)) < 0.2] = 0  # absent joints
    return FrameTracks(
        index,
        rng.uniform(0.01, 1, num),
        rng.integers(0, 2, num),
        boxes,
        np.sort(rng.permutation(7)[:num]),
        [encode_mask(mask) for mask in _random_masks(rng, num, separate)] if masks else None,
        keypoints,
        f"{index:05d}.jpg",
        index / 12.5,
    )


def _random_masks(rng, num, separate):
    if separate:
        owner = rng.integers(0, num + 1, (HEIGHT, WIDTH))
        owner.flat[: num + 1] = np.arange(num + 1)
        return [owner == i for i in range(num)]
    return [rng.random((HEIGHT, WIDTH)) < rng.random() for _ in range(num)]


def assert_equal(found: FrameTracks, expected: FrameTracks, *fields: str) -> None:
    """Named fields of two frames are equal to the bit; an empty frame may lack optional ones."""
    for name in fields:
        ours, theirs = getattr(found, name), getattr(expected, name)
        if name == "rles":
            assert (ours or []) == (theirs or []), f"frame {expected.index}: {name}"
        elif len(expected) or name in ("index", "file_name", "time"):
            np.testing.assert_array_equal(ours, theirs, err_msg=f"frame {expected.index}: {name}")


def assert_same_video(found, frames, *fields) -> None:
    """All frames are equal in these fields; a reader may leave out empty frames."""
    by_index = {frame.index: frame for frame in found}
    assert set(by_index) <= {frame.index for frame in frames}
    for frame in frames:
        if len(frame):
            assert_equal(by_index[frame.index], frame, "index", *fields)
        else:
            assert not len(by_index.get(frame.index, ()))
