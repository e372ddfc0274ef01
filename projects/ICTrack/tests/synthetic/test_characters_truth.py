"""The truth of unlabeled clips lies beside them, on request, and changes nothing about them."""

import json
from dataclasses import replace

from pycocotools import mask as mask_util

from synthetic.characters import SampleConfig, generate_sample
from synthetic.characters.generate import UNLABELED_TRUTH

TINY = SampleConfig(
    height=96, width=160, train_stills=0, val_stills=0, unlabeled_clips=2, unlabeled_length=3, tune_clips=0,
    val_clips=0, skips=(),
)  # fmt: skip


def test_truth_of_unlabeled_clips(tmp_path):
    plain = generate_sample(tmp_path / "a", 3, TINY, workers=1)
    known = generate_sample(tmp_path / "b", 3, replace(TINY, unlabeled_truth=True), workers=1)

    def pictures(root):
        return {str(p.relative_to(root)): p.read_bytes() for p in (root / "unlabeled").rglob("*") if p.is_file()}

    assert pictures(known) == pictures(plain)
    assert not (plain / UNLABELED_TRUTH).exists()
    truth = json.loads((known / UNLABELED_TRUTH).read_text())
    names = [name for video in truth["videos"] for name in video["file_names"]]
    assert sorted(f"unlabeled/{name}" for name in names) == sorted(pictures(known))
    assert {annotation["video_id"] for annotation in truth["annotations"]} == {1, 2}
    for annotation in truth["annotations"]:
        for rle, area in zip(annotation["segmentations"], annotation["areas"]):
            assert (rle is None) == (area is None)
            assert rle is None or mask_util.area(rle) == area
    # An earlier sample's truth does not outlive it.
    generate_sample(tmp_path / "b", 3, TINY, workers=1)
    assert not (known / UNLABELED_TRUTH).exists()
