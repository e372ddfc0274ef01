import numpy as np
import pytest

from ictrack.structures.tracks import Track, TrackRecorder, encode_mask

RLES = [encode_mask(np.eye(4, dtype=bool)), encode_mask(np.ones((4, 4), dtype=bool))]


def test_results_of_a_video():
    recorder = TrackRecorder()
    recorder.add(0, [5, 2], [0.5, 0.75], [1, 0], RLES)
    recorder.add(3, [2], [0.25], [0], RLES[:1])
    five, two = recorder.results(video_id=11, length=5, category_ids=[40, 7])
    assert five == {
        "video_id": 11,
        "category_id": 7,
        "score": 0.5,
        "segmentations": [RLES[0], None, None, None, None],
    }
    assert two == {
        "video_id": 11,
        "category_id": 40,
        "score": 0.5,
        "segmentations": [RLES[1], None, None, RLES[0], None],
    }


def test_category_is_the_vote_weighted_by_score():
    track = Track()
    for frame, (score, category) in enumerate([(0.2, 3), (0.2, 3), (0.9, 1)]):
        track.add(frame, score, category, RLES[0])
    assert track.category == 1
    assert track.score == pytest.approx(1.3 / 3)


def test_an_identity_twice_in_a_frame_is_refused():
    with pytest.raises(ValueError, match="identity 4: frame 2 already"):
        TrackRecorder().add(2, [4, 4], [0.5, 0.5], [0, 0], RLES)


def test_unequal_lengths_are_refused():
    with pytest.raises(ValueError, match="frame 1: 2 ids, 1 scores"):
        TrackRecorder().add(1, [1, 2], [0.5], [0, 0], RLES)
