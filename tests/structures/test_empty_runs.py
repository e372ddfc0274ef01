import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pycocotools import mask as mask_util

from ictrack.structures.json_files import AnnotationError, parse_json
from ictrack.structures.rle import decode_runs, encode_runs, has_empty_runs, merge_empty_runs
from ictrack.structures.youtube_vis_json import check_ground_truth, normalize_segmentations


@given(st.lists(st.integers(0, 4), min_size=1, max_size=9).filter(any))
def test_masks_with_empty_runs_stay_the_masks_they_are(counts):
    pixels = np.concatenate([np.full(count, i % 2, dtype=np.uint8) for i, count in enumerate(counts)])
    packed = encode_runs(np.array(counts), np.array([len(counts)]))[0]
    forms = [{"size": [len(pixels), 1], "counts": form} for form in (packed, counts)]
    (rles, areas) = normalize_segmentations(forms, ["a", "b"], [(1, 1)] * 2)
    assert areas.tolist() == [pixels.sum()] * 2
    for rle in rles:
        assert mask_util.decode(rle).ravel().tolist() == pixels.tolist()
        assert not has_empty_runs(decode_runs([rle]))
    assert has_empty_runs(decode_runs(forms)) == ({0, 1} if 0 in counts[1:] else set())
    assert merge_empty_runs(np.array(counts)).sum() == len(pixels)


def test_overlap_that_pycocotools_does_not_find_is_found():
    mask = {"size": [40, 1], "counts": encode_runs(np.array([5, 0, 5, 10, 20]), np.array([5]))[0]}
    assert mask_util.iou([mask], [mask], [0]) == 0
    (mended,), _ = normalize_segmentations([mask], ["a"], [(40, 1)])
    assert mask_util.iou([mended], [mended], [0]) == 1


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"iscrowd": 2}, r"annotations\[0\].iscrowd: must be 0 or 1, not 2"),
        ({"iscrowd": "1"}, r"annotations\[0\].iscrowd: must be 0 or 1, not '1'"),
        ({"areas": [1, "2"]}, r"annotations\[0\].areas\[1\]: must be a number of pixels, not '2'"),
        ({"areas": [1, float("nan")]}, r"annotations\[0\].areas\[1\]: must be a number of pixels, not nan"),
        ({"areas": [1, -1]}, r"annotations\[0\].areas\[1\]: must be a number of pixels, not -1"),
        ({"areas": [None, 10**400]}, r"annotations\[0\].areas\[1\]: must be a number of pixels, not 1000"),
    ],
)
def test_values_that_would_change_a_score_are_refused(changes, message):
    truth = {
        "videos": [{"id": 1, "height": 4, "width": 5, "file_names": ["a/0.jpg", "a/1.jpg"]}],
        "categories": [{"id": 1, "name": "cat"}],
        "annotations": [{"id": 1, "video_id": 1, "category_id": 1, "segmentations": [None, None]}],
    }
    check_ground_truth(truth)
    truth["annotations"][0].update(changes)
    with pytest.raises(AnnotationError, match=message):
        check_ground_truth(truth)
    truth["videos"][0]["height"] = 2**29
    with pytest.raises(AnnotationError, match=r"videos\[0\]: .* more pixels than an RLE can count"):
        check_ground_truth(truth)


def test_integers_that_python_refuses_are_damage():
    with pytest.raises(AnnotationError, match="x: holds a number of too many digits"):
        parse_json(b"9" * 5000, "x")
