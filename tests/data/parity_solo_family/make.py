"""Golden cases of SOLO's family: python make.py, in an environment with mmdet 3.3.0 and without ICTrack.

The backbone is not under test: each level of a pyramid is a 1x1 convolution of averaged pixels.
"""

import io
import zipfile
from pathlib import Path

import numpy as np
import torch
from mmdet.models.dense_heads import DecoupledSOLOHead, DecoupledSOLOLightHead, SOLOHead, SOLOV2Head
from mmdet.structures.mask import BitmapMasks
from mmengine.config import ConfigDict
from mmengine.structures import InstanceData
from torch.nn import functional as F

HERE = Path(__file__).parent
GRIDS, CHANNELS, CLASSES = [13, 11, 9, 5, 3], 32, 6
SIZES, ORIGINAL_SIZES, PADDED = [(150, 203), (123, 221)], [(225, 305), (100, 180)], (160, 224)
# For some dozens of detections, fewer than max_per_img.
CATEGORY_BIAS = {"grid": -4.0, "decoupled": -5.6, "decoupled_light": -4.0, "dynamic": -4.7}
HEADS = {
    "grid": (SOLOHead, {}),
    "decoupled": (DecoupledSOLOHead, {}),
    "decoupled_light": (DecoupledSOLOLightHead, {}),
    "dynamic": (
        SOLOV2Head,
        {
            "mask_feature_head": {
                "feat_channels": 16,
                "start_level": 0,
                "end_level": 3,
                "out_channels": 24,
                "mask_stride": 4,
                "norm_cfg": {"type": "GN", "num_groups": 8},
            }
        },
    ),
}


def build(kind, generator):
    cls, options = HEADS[kind]
    activate = {} if kind in ("grid", "dynamic") else {"activate": False}
    head = cls(
        num_classes=CLASSES,
        in_channels=CHANNELS,
        stacked_convs=2,
        feat_channels=CHANNELS,
        strides=[8, 8, 16, 32, 32],
        scale_ranges=[(1, 32), (16, 64), (32, 128), (64, 256), (128, 512)],
        pos_scale=0.2,
        num_grids=GRIDS,
        loss_mask={"type": "DiceLoss", "use_sigmoid": True, "loss_weight": 3.0, **activate},
        loss_cls={"type": "FocalLoss", "use_sigmoid": True, "gamma": 2.0, "alpha": 0.25, "loss_weight": 1.0},
        norm_cfg={"type": "GN", "num_groups": 8, "requires_grad": True},
        test_cfg=ConfigDict(
            nms_pre=500, score_thr=0.1, mask_thr=0.5, filter_thr=0.05, kernel="gaussian", sigma=2.0, max_per_img=100
        ),
        **ConfigDict(options),
    )
    with torch.no_grad():
        for name, p in head.named_parameters():
            is_output = any(part in name for part in ("conv_cls", "conv_mask_list", "conv_kernel"))
            if p.ndim == 4:
                gain = {"conv_cls": 2.0, "conv_kernel": 0.6}.get(name.split(".")[0], 6.0 if is_output else 1.5)
                p.copy_(torch.randn(p.shape, generator=generator) * gain / (p[0].numel() ** 0.5))
            elif is_output:
                p.fill_(CATEGORY_BIAS[kind] if "cls" in name else 0.0)
            else:
                p.copy_(("weight" in name) + 0.3 * torch.randn(p.shape, generator=generator))
            p.copy_(p.half().float())
    return head


def pyramid(images, projections):
    levels = [F.conv2d(F.avg_pool2d(images, 2**i), w[..., None, None]) for i, w in enumerate(projections, 2)]
    return [*levels, F.max_pool2d(levels[-1], 1, stride=2)]


def annotations(generator):
    """Ellipses, of which some lie inside others, so that instances share cells."""
    boxes, labels, masks = [], [], []
    for height, width in SIZES:
        ys, xs = np.mgrid[:height, :width]
        of_image = []
        for radius in generator.uniform(6, 70, 9):
            cy, cx = generator.uniform(0, height), generator.uniform(0, width)
            for r in (radius, radius * generator.uniform(0.6, 0.95)):
                of_image.append(((ys - cy) / r) ** 2 + ((xs - cx) / (1.3 * r)) ** 2 < 1)
        of_image = np.array([m for m in of_image if m.any()])
        corners = [(m.any(0).nonzero()[0], m.any(1).nonzero()[0]) for m in of_image]
        boxes.append(np.array([[x[0], y[0], x[-1] + 1, y[-1] + 1] for x, y in corners], np.float32))
        labels.append(generator.integers(0, CLASSES, len(of_image)))
        masks.append(of_image)
    return boxes, labels, masks


def losses(head, outputs, gt):
    instances = []
    for boxes, labels, masks in zip(*gt):
        padded = np.zeros((len(masks), *PADDED), np.uint8)
        padded[:, : masks.shape[1], : masks.shape[2]] = masks
        fields = {"bboxes": torch.from_numpy(boxes), "labels": torch.from_numpy(labels)}
        instances.append(InstanceData(**fields, masks=BitmapMasks(padded, *PADDED)))
    return head.loss_by_feat(*outputs, batch_gt_instances=instances, batch_img_metas=[{}] * len(instances))


def packed(name, masks):
    return {f"{name}_packed": np.packbits(masks, axis=-1), f"{name}_shape": np.array(masks.shape)}


def save(name, arrays):
    """Arrays as a .npz whose bytes depend on their values alone."""
    with zipfile.ZipFile(HERE / f"{name}.npz", "w", zipfile.ZIP_DEFLATED) as archive:
        for key, array in arrays.items():
            content = io.BytesIO()
            np.save(content, array)
            archive.writestr(zipfile.ZipInfo(f"{key}.npy"), content.getvalue(), zipfile.ZIP_DEFLATED)


def main():
    generator = np.random.default_rng(0)
    gt = annotations(generator)
    images = torch.zeros(2, 3, *PADDED)
    for image, (height, width) in zip(images, SIZES):
        smooth = torch.from_numpy(generator.normal(size=(1, 3, height // 12, width // 12))).float()
        image[:, :height, :width] = F.interpolate(smooth, (height, width), mode="bicubic")[0]
    images = (images * 16).round().clamp(-127, 127) / 16
    projections = torch.from_numpy(generator.normal(size=(4, CHANNELS, 3))).half().float()
    inputs = {"images_x16": (images * 16).to(torch.int8).numpy(), "projections": projections.half().numpy()}
    for i, (boxes, labels, masks) in enumerate(zip(*gt)):
        inputs |= {f"boxes{i}": boxes, f"labels{i}": labels, **packed(f"masks{i}", masks)}
    save("inputs", inputs)

    for kind in HEADS:
        head = build(kind, torch.Generator().manual_seed(1))
        out = {f"weight/{name}": p.detach().half().numpy() for name, p in head.named_parameters()}
        head.train()
        outputs = head(pyramid(images, projections))
        category = outputs[-2] if kind == "dynamic" else outputs[-1]
        out |= {f"category_logits{i}": x.detach().numpy() for i, x in enumerate(category)}
        out |= {name: x.item() for name, x in losses(head, outputs, gt).items()}

        exact = build(kind, torch.Generator().manual_seed(1)).double().train()
        terms = losses(exact, exact(pyramid(images.double(), projections.double())), gt)
        sum(terms.values()).backward()
        out |= {f"gradient_norm/{name}": p.grad.norm().item() for name, p in exact.named_parameters()}

        head.eval()
        with torch.no_grad():
            metas = [{"img_shape": s, "ori_shape": o} for s, o in zip(SIZES, ORIGINAL_SIZES)]
            results = head.predict_by_feat(*head(pyramid(images, projections)), batch_img_metas=metas)
        for i, x in enumerate(results):
            print(kind, i, len(x), x.scores[:3].tolist(), x.scores[-1:].tolist(), x.masks.float().mean().item())
            out |= {f"image{i}_scores": x.scores.numpy(), f"image{i}_labels": x.labels.numpy()}
            out |= packed(f"image{i}_masks", x.masks.numpy())
        print(kind, {k: v for k, v in out.items() if k.startswith("loss")})
        save(kind, out)


if __name__ == "__main__":
    main()
