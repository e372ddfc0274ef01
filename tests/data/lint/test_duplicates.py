"""Pictures that two data sets share are found, also re-encoded and resized; others are not."""

import cv2
import numpy as np

from ictrack.data.lint.duplicates import shared_pictures


def picture(seed, size=(120, 160)):
    """Smooth random colors, as different from each other as photos are."""
    rng = np.random.default_rng(seed)
    small = rng.integers(0, 255, (6, 8, 3), dtype=np.uint8)
    return cv2.resize(small, size[::-1], interpolation=cv2.INTER_CUBIC)


def test_shared_pictures(tmp_path):
    names = [str(tmp_path / f"{seed}.png") for seed in range(30)]
    for seed, name in enumerate(names):
        cv2.imwrite(name, picture(seed))
    copies = {3: "copy.png", 7: "other.jpg", 11: "small.png", 13: "bright.png"}
    cv2.imwrite(str(tmp_path / copies[3]), picture(3))
    cv2.imwrite(str(tmp_path / copies[7]), picture(7), [cv2.IMWRITE_JPEG_QUALITY, 60])
    cv2.imwrite(str(tmp_path / copies[11]), cv2.resize(picture(11), (96, 72), interpolation=cv2.INTER_AREA))
    cv2.imwrite(str(tmp_path / copies[13]), cv2.convertScaleAbs(picture(13), beta=3))
    others = [str(tmp_path / name) for name in copies.values()]
    for seed in range(40, 70):
        others.append(str(tmp_path / f"new{seed}.png"))
        cv2.imwrite(others[-1], picture(seed))
    (tmp_path / "broken.png").write_text("x")
    others.append(str(tmp_path / "broken.png"))
    assert list(shared_pictures(names, others)) == [(names[seed], str(tmp_path / copies[seed])) for seed in copies]


def test_plain_pictures_are_not_compared(tmp_path):
    for name in "ab":
        cv2.imwrite(str(tmp_path / f"{name}.png"), np.full((50, 60, 3), 40, np.uint8))
    assert list(shared_pictures([str(tmp_path / "a.png")], [str(tmp_path / "b.png")])) == []
