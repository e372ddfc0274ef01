import numpy as np
import pytest
import torch

from ictrack.identities import (
    CropEncoder,
    Gallery,
    GalleryError,
    Links,
    assumed_appearance,
    collect_crops,
    recognize,
    unit_mean,
)
from ictrack.identities.gallery import NUM_CROPS


@pytest.fixture
def gallery():
    torch.manual_seed(0)
    rng = np.random.default_rng(0)
    crops = rng.integers(0, 255, (3, 1, 40, 64, 3), dtype=np.uint8).repeat(NUM_CROPS, axis=1)
    return Gallery(np.array([0, 4, 7]), crops, 31.5, CropEncoder().eval())


def test_a_saved_gallery_is_the_same(gallery, tmp_path):
    gallery.save(tmp_path / "identities.npz")
    read = Gallery.load(tmp_path / "identities.npz")
    assert read.labels.tolist() == [0, 4, 7] and read.length == 31.5
    assert (read.crops == gallery.crops).all()
    assert (read.encoder.embed(gallery.crops[0]) == gallery.encoder.embed(gallery.crops[0])).all()


@pytest.mark.parametrize("content", [b"", b"no archive", "objects", "other arrays"])
def test_a_file_that_is_no_gallery_is_named(tmp_path, content):
    path = tmp_path / "identities.npz"
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content == "objects":
        np.savez(path, labels=np.array([{}], dtype=object), allow_pickle=True)
    else:
        np.savez(path, labels=np.arange(2), crops=np.zeros((2, 3)))
    with pytest.raises(GalleryError, match=r"identities\.npz: holds no identities"):
        Gallery.load(path)


def test_known_objects_keep_their_numbers_and_new_ones_follow(gallery):
    encoder = gallery.encoder
    old = np.stack([unit_mean(encoder.embed(x)) for x in gallery.crops])
    # The second identity is the third known one, the first is none of them.
    center = old.mean(axis=0)
    means = np.stack([-center / np.linalg.norm(center), old[2], old[2], old[0]])
    links = Links(np.array([0, 1, 1, 2]), np.ones(4), np.full(4, -1))
    labels = recognize(gallery, links, means, np.full(4, 20.0), assumed_appearance(), encoder)
    assert labels.tolist() == [8, 7, 0]


def test_crops_are_spread_over_all_tracklets():
    crops = [np.full((10, 40, 64, 3), value, np.uint8) for value in (1, 2, 3)]
    found = collect_crops(crops)
    assert found.shape == (NUM_CROPS, 40, 64, 3)
    assert found[0].max() == 1 and found[-1].max() == 3 and (found[:, 0, 0, 0] == 2).any()
    assert collect_crops(crops[:1]).shape == (NUM_CROPS, 40, 64, 3)


def test_tracklets_of_known_identities_meet_before_the_first_frame(gallery):
    tracklets = gallery.tracklets()
    assert len(tracklets) == 3 and all(x.frames[-1] == -1 and len(x) == NUM_CROPS for x in tracklets)
