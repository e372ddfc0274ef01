"""One person who stands still: found in every frame, in every second one, or with joints of a low score."""

import numpy as np
import pytest
from pose_clip import pose_clip

from experiments.association.poses import JOINT_SCORES, PoseSetting, PoseStudy, spatial_pose_methods, unit_scores
from ictrack.engine.setup import load_config
from ictrack.structures.joints import POSETRACK_18

METHOD = spatial_pose_methods()[0]
SETTING = PoseSetting(threshold=0.5, min_score=0.1, min_joint_score=0.0)


def study_of(*clips):
    return PoseStudy(load_config(), POSETRACK_18, clips, clips, [0.1])


def test_a_perfect_tracker_has_perfect_scores():
    scores = study_of(pose_clip(np.full((4, 17), 0.9))).measure(METHOD, SETTING)
    assert [scores[key] for key in ("AP", "MOTA", "IDF1", "AssA", "HOTA")] == pytest.approx([1] * 5)
    assert scores["IDSW"] == 0


def test_counts_of_units_make_the_scores():
    clips = [pose_clip(np.full((3, 17), 0.9), number=n, unit=n // 2) for n in range(4)]
    clips[3].frames[1].detections.pred_keypoints[..., 0] += 500  # out of reach for a frame
    scores = study_of(*clips).measure(METHOD, SETTING)
    assert 0 < scores["IDF1"] < 1 and 0 < scores["MOTA"] < 1
    whole, broken = np.array(scores["counts"])
    assert unit_scores(whole) == pytest.approx({"IDF1": 1, "MOTA": 1})
    assert unit_scores(whole + broken) == pytest.approx({key: scores[key] for key in ("IDF1", "MOTA")})


def test_joints_of_a_low_score_are_left_out_where_they_are_wrong():
    scores = np.full((4, 17), 0.9)
    scores[:, 5:] = 0.25
    clip = pose_clip(scores)
    for frame in clip.frames:
        frame.detections.pred_keypoints[:, 5:, 0] += 500
    study = study_of(clip)
    threshold, idf1 = study.tune(METHOD)
    assert threshold in METHOD.candidates and list(idf1) == [0.1]
    setting = study.setting(METHOD, threshold, max(idf1))
    assert setting.min_joint_score == JOINT_SCORES[3] == 0.3
