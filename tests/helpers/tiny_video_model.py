"""A small SOLO with a video head, and batches of made-up labeled images and unlabeled video, for tests."""

import torch
from detectron2.config import get_cfg
from detectron2.structures import BitMasks, Instances

from ictrack import add_ictrack_config

SIZE = (64, 96)


def solo_config(**video_keys):
    """A linear mask-pooled head on the backbone's taps."""
    cfg = get_cfg()
    add_ictrack_config(cfg)
    cfg.MODEL.DEVICE = "cpu"
    cfg.MODEL.META_ARCHITECTURE = "SOLO"
    cfg.MODEL.PIXEL_MEAN = cfg.MODEL.PIXEL_STD = [127.5, 127.5, 127.5]
    cfg.MODEL.BACKBONE.NAME = "build_timm_fpn_backbone"
    cfg.MODEL.TIMM.NAME = "resnet10t"
    cfg.MODEL.FPN.IN_FEATURES = ["res2", "res3", "res4", "res5"]
    cfg.MODEL.FPN.OUT_CHANNELS = 16
    solo = cfg.MODEL.SOLO
    solo.NUM_CLASSES, solo.NUM_CONVS, solo.CONV_DIM, solo.NUM_GROUPS = 2, 1, 16, 4
    solo.IN_FEATURES, solo.STRIDES, solo.NUM_GRIDS = ["p2", "p3", "p4", "p5"], [8, 8, 16, 32], [8, 6, 4, 3]
    solo.SCALE_RANGES = [[1, 48], [16, 96], [16, 192], [16, 512]]
    emb = cfg.MODEL.EMBEDDING
    emb.NAME, emb.READOUT, emb.NUM_CONVS, emb.DIM = "InstanceEmbeddingHead", "mask", 0, 8
    emb.IN_FEATURES = ["res2", "res3"]
    emb.NORMALIZE, emb.TEMPERATURE = True, 0.1
    cfg.MODEL.VIDEO_EMBEDDING.ENABLED = True
    cfg.MODEL.VIDEO_EMBEDDING.LEVELS = [1]
    set_video_keys(cfg, video_keys)
    return cfg


def set_video_keys(cfg, keys):
    """Keys of MODEL.VIDEO_EMBEDDING, and MODEL.FREEZE: with a video head by default all but that."""
    keys = dict(keys)
    frozen = keys.pop("FREEZE", ["detector", "image_head"])
    for key, value in keys.items():
        cfg.MODEL.VIDEO_EMBEDDING[key] = value
    cfg.MODEL.FREEZE = frozen if cfg.MODEL.VIDEO_EMBEDDING.ENABLED else []


def use_cells(cfg):
    """The paper's form: a convolutional head on SOLO's grids."""
    emb = cfg.MODEL.EMBEDDING
    emb.READOUT, emb.NUM_CONVS, emb.CONV_DIM, emb.NUM_GROUPS, emb.IN_FEATURES = "cell", 1, 8, 2, []
    return cfg


def squares(ids, offset=0):
    """Instances of 20 x 20 squares beside each other, shifted by ``offset`` pixels to the right."""
    masks = torch.zeros(len(ids), *SIZE, dtype=torch.bool)
    for slot, mask in enumerate(masks):
        mask[10:30, 6 + 30 * slot + offset : 26 + 30 * slot + offset] = True
    bits = BitMasks(masks)
    return Instances(
        SIZE,
        gt_masks=bits,
        gt_boxes=bits.get_bounding_boxes(),
        gt_ids=torch.tensor(ids),
        gt_classes=torch.zeros(len(ids), dtype=torch.int64),
    )


def picture(instances, colors):
    """Squares of given colors (N, 3) on a grey ground."""
    image = torch.full((3, *SIZE), 100, dtype=torch.uint8)
    for mask, color in zip(instances.gt_masks.tensor, colors):
        image[:, mask] = color[:, None]
    return image


def labeled(ids=(1, 2)):
    instances = squares(list(ids))
    return {"image": picture(instances, torch.randint(256, (len(ids), 3), dtype=torch.uint8)), "instances": instances}


def video_sample(name="video", num_frames=2, tracklets=True, ids=(1, 2)):
    """Squares that move by two pixels a frame; ``colors`` in cells of 8 pixels."""
    colors = torch.randint(256, (len(ids), 3), dtype=torch.uint8)
    frames = [squares(list(ids), 2 * t) for t in range(num_frames)]
    images = torch.stack([picture(x, colors) for x in frames])
    lab = torch.nn.functional.avg_pool2d(images.float(), 8) / 128 - 1
    valid = torch.ones(num_frames, SIZE[0] // 8, SIZE[1] // 8, dtype=torch.bool)
    to_source = torch.eye(2, 3).expand(num_frames, -1, -1)
    sample = {"video_name": name, "frame_indices": list(range(0, 3 * num_frames, 3))}
    if num_frames == 2:
        for prefix, t in (("", 0), ("reference_", 1)):
            sample[f"{prefix}image"], sample[f"{prefix}colors"] = images[t], lab[t]
            sample[f"{prefix}valid"], sample[f"{prefix}image_to_source"] = valid[t], to_source[t]
    else:
        sample.update(clip=images, clip_colors=lab, clip_valid=valid, clip_to_source=to_source)
    if tracklets:
        sample["tracklets"] = frames
    return sample
