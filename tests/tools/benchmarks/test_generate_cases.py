"""The made-up data: valid, of the size asked for, and always the same."""

import numpy as np
import pytest

from benchmarks.blobs import YouTubeVISCase
from benchmarks.generate_posetrack import PoseTrackCase, write_posetrack_case
from benchmarks.generate_youtube_vis import write_youtube_vis_case
from ictrack.evaluation.submission import read_results
from ictrack.structures.posetrack_json import read_pose_folder
from ictrack.structures.rle import decode_runs
from ictrack.structures.youtube_vis_json import read_ground_truth

VIDEOS = YouTubeVISCase(num_videos=3, num_frames=5, num_gt=2, num_pred=7, num_categories=4, height=90, width=160)
POSES = PoseTrackCase(num_sequences=3, people=(2, 4), frames=(5, 8))


@pytest.fixture
def videos(tmp_path):
    return write_youtube_vis_case(VIDEOS, tmp_path)


def test_videos_have_the_size_asked_for(videos):
    truth = read_ground_truth(videos[0])
    results = read_results(videos[1], truth)
    assert len(truth["videos"]) == 3 and len(truth["annotations"]) == 6 and len(results) == 21
    assert all(len(entry["segmentations"]) == 5 for entry in [*truth["annotations"], *results])


def test_areas_and_boxes_are_those_of_the_masks(videos):
    for annotation in read_ground_truth(videos[0])["annotations"]:
        for rle, area, box in zip(annotation["segmentations"], annotation["areas"], annotation["bboxes"]):
            if rle is None:
                assert area is None and box is None
                continue
            runs = decode_runs([rle])
            mask = np.repeat(np.arange(len(runs.counts)) % 2, runs.counts).reshape(160, 90).T
            rows, columns = np.flatnonzero(mask.any(axis=1)), np.flatnonzero(mask.any(axis=0))
            assert mask.sum() == area > 0
            assert box == [columns[0], rows[0], columns[-1] - columns[0] + 1, rows[-1] - rows[0] + 1]


def test_the_same_seed_gives_the_same_bytes(tmp_path):
    for write, case in ((write_youtube_vis_case, VIDEOS), (write_posetrack_case, POSES)):
        contents = []
        for run, seed in enumerate((0, 0, 1)):
            folder = tmp_path / f"{write.__name__}{run}"
            folder.mkdir()
            write(case, folder, seed)
            contents.append([path.read_bytes() for path in sorted(folder.rglob("*.json"))])
        assert contents[0] == contents[1] != contents[2]


def test_poses_have_the_size_asked_for(tmp_path):
    truth_folder, results_folder = write_posetrack_case(POSES, tmp_path)
    truth = read_pose_folder(truth_folder, is_ground_truth=True)
    results = read_pose_folder(results_folder, is_ground_truth=False)
    assert list(truth) == list(results) and len(truth) == 3
    for name, sequence in truth.items():
        assert 5 <= sequence.num_frames == results[name].num_frames <= 8
        assert 2 <= len(np.unique(np.concatenate([sequence.track_ids]))) <= 4
        assert sequence.is_labeled.all() and results[name].has_scores.all()
