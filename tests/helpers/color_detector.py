"""A detector for tests whose right answer is known: it finds squares by their color."""

import numpy as np
import torch
from detectron2.structures import BitMasks, Instances
from torch import nn

# BGR, far apart from each other and from the grey background even after H.264.
COLORS = {0: (30, 30, 220), 1: (40, 200, 40), 2: (220, 60, 30)}
BACKGROUND = 90


class ColorDetector(nn.Module):
    """One detection a color that is in sight: category = the color's index, embedding = its one-hot vector."""

    def __init__(self, image_format="BGR", with_masks=True):
        super().__init__()
        self.anchor = nn.Parameter(torch.zeros(1))  # gives the module a device
        self.order = [0, 1, 2] if image_format == "BGR" else [2, 1, 0]
        self.with_masks = with_masks
        self.seen = []

    def forward(self, batched_inputs):
        (record,) = batched_inputs
        assert not self.training and not torch.is_grad_enabled()
        image, size = record["image"], (record["height"], record["width"])
        self.seen.append(tuple(image.shape))
        bgr = image[self.order].float()
        masks, classes = [], []
        for category, color in COLORS.items():
            near = (bgr - torch.tensor(color).view(3, 1, 1)).abs().amax(0) < 60
            if near.sum() > 8:
                masks.append(nn.functional.interpolate(near[None, None].float(), size, mode="nearest")[0, 0] > 0.5)
                classes.append(category)
        masks = torch.stack(masks) if masks else torch.zeros(0, *size, dtype=torch.bool)
        instances = Instances(size)
        instances.pred_boxes = BitMasks(masks).get_bounding_boxes()
        instances.scores = torch.full((len(masks),), 0.9)
        instances.pred_classes = torch.tensor(classes, dtype=torch.int64)
        instances.embeddings = torch.eye(len(COLORS))[classes]
        if self.with_masks:
            instances.pred_masks = masks
        return [{"instances": instances}]


def scene(index, height=64, width=96):
    """Frame ``index``: colors 0 and 1 cross each other; color 2 is away in frames 6 to 11."""
    frame = np.full((height, width, 3), BACKGROUND, np.uint8)
    places = {0: (8 + 3 * index, 8), 1: (68 - 3 * index, 26), 2: (20 + index, 44)}
    for category, (x, y) in places.items():
        if category == 2 and 6 <= index < 12:
            continue
        frame[y : y + 14, max(x, 0) : x + 14] = COLORS[category]
    return frame
