"""The embedding head of ``ictrack identify`` beside a detector."""

import cv2
import numpy as np
import pytest
import torch
from detectron2.modeling import build_model

from ictrack.engine.setup import load_config
from ictrack.identities import CropCutter, CropEncoder, Gallery
from ictrack.identities.gallery import NUM_CROPS
from ictrack.model_zoo import config_path

OPTIONS = [
    "MODEL.META_ARCHITECTURE", "EmbeddedDetector", "MODEL.EMBEDDED_DETECTOR.META_ARCHITECTURE", "ForegroundSegmenter",
    "MODEL.EMBEDDED_DETECTOR.FEATURES.BACKBONE", "PixelBackbone", "MODEL.EMBEDDED_DETECTOR.FEATURES.FORMAT", "BGR",
    "MODEL.EMBEDDED_DETECTOR.FEATURES.PIXEL_MEAN", "[0.0, 0.0, 0.0]",
    "MODEL.EMBEDDED_DETECTOR.FEATURES.PIXEL_STD", "[1.0, 1.0, 1.0]",
    "MODEL.EMBEDDING.NAME", "CropEmbedding", "MODEL.DEVICE", "cpu",
]  # fmt: skip


@pytest.fixture
def gallery(tmp_path):
    torch.manual_seed(0)
    crops = np.zeros((1, NUM_CROPS, 40, 64, 3), np.uint8)
    gallery = Gallery(np.array([0]), crops, 40.0, CropEncoder().eval())
    gallery.save(tmp_path / "identities.npz")
    return gallery, str(tmp_path / "identities.npz")


def model_of(path, *more):
    options = [*OPTIONS, "MODEL.EMBEDDING.CROP_ENCODER", path, *more]
    return build_model(load_config(str(config_path("plain_background.yaml")), options)).eval()


def scene():
    image = np.full((60, 120, 3), 200, np.uint8)
    cv2.ellipse(image, (30, 30), (18, 8), 20, 0, 360, (60, 50, 40), -1)
    cv2.ellipse(image, (85, 30), (18, 8), 80, 0, 360, (40, 50, 60), -1)
    return image


@pytest.mark.parametrize("image_format", ["BGR", "RGB"])
def test_embeddings_are_those_of_the_crops(gallery, image_format):
    """BGR, as ``ictrack identify`` cuts them, whatever the detector's order."""
    known, path = gallery
    image = scene()
    given = image if image_format == "BGR" else image[..., ::-1]
    record = {"image": torch.from_numpy(given.transpose(2, 0, 1).copy()), "height": 60, "width": 120}
    found = model_of(path, "INPUT.FORMAT", image_format)([record])[0]["instances"]
    crops = [CropCutter(known.length)(image, mask) for mask in found.pred_masks.numpy()]
    assert len(crops) == 2
    assert found.embeddings.numpy() == pytest.approx(known.encoder.embed(np.stack(crops)), abs=1e-5)


def test_a_frame_without_objects(gallery):
    image = torch.full((3, 60, 120), 200, dtype=torch.uint8)
    found = model_of(gallery[1])([{"image": image, "height": 60, "width": 120}])[0]["instances"]
    assert len(found) == 0 and found.embeddings.shape == (0, 64)


def test_other_features_are_refused(gallery):
    with pytest.raises(ValueError, match="to PixelBackbone"):
        model_of(
            gallery[1], "MODEL.EMBEDDED_DETECTOR.FEATURES.BACKBONE", "build_timm_backbone", "MODEL.TIMM.WEIGHTS", ""
        )
