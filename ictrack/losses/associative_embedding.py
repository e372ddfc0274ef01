"""Associative embedding (AE) loss: the tags of a person's joints pull together, those of different people push apart.

Newell et al., "Associative Embedding: End-to-End Learning for Joint Detection and Grouping", NIPS 2017, in the form of
github.com/princeton-vl/pose-ae-train. It groups joints inside an image, and is the baseline of the supplementary of
Fu et al., CVPR 2021 (arXiv 2104.00287).

Naming convention:
    R: tags read at joints, of all images of the mini-batch, N: people, D: dimension of a tag
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from .instance_contrastive import instance_centers


class AssociativeEmbeddingLoss(NamedTuple):
    """The unweighted terms, each a scalar."""

    pull: Tensor
    push: Tensor


def associative_embedding_loss(
    tags: Tensor, people: Tensor, images: Tensor, num_images: int
) -> AssociativeEmbeddingLoss:
    """Both terms, the means over images of (t_nr is tag r of person n, m_n the mean of its R_n tags)

        pull = 1/N sum_n 1/R_n sum_r mean_d (t_nr - m_n)^2
        push = 1/2 * 1/(N (N - 1)) sum_{n != n'} exp(-|m_n - m_n'|^2)

    of the N people of an image. Pull is 0 for an image without people, push for one with fewer than two. A person
    that several anchors predict has a tag for each joint of each; with one anchor this is the original.

    Everything runs in at least float32, also under autocast, and is connected to ``tags`` even where there is none.

    Args:
        tags: (R, D).
        people: (R,) integers, unique to a person and an image.
        images: (R,) int64 index of the image of each tag.
        num_images: of the mini-batch.

    Raises:
        ValueError: the shapes do not fit together.
    """
    if tags.dim() != 2 or not people.shape == images.shape == tags.shape[:1]:
        shapes = ", ".join(str(tuple(x.shape)) for x in (tags, people, images))
        raise ValueError(f"expected (R, D) tags, (R,) people and (R,) images, got {shapes}")
    with torch.autocast(device_type=tags.device.type, enabled=False):
        tags = tags.to(torch.promote_types(tags.dtype, torch.float32))
        unique, person = torch.unique(people, return_inverse=True)
        means, counts = instance_centers(tags, person, len(unique))
        image = images.new_zeros(len(unique)).index_copy(0, person, images)  # (N,) of each person
        per_image = torch.bincount(image, minlength=num_images).to(tags.dtype)[image]  # (N,) people of that image

        spread = (tags - means[person]).square().mean(dim=1)
        pull = (spread / (counts * per_image)[person]).sum()

        squared = (means[:, None] - means).square().sum(dim=2)
        pairs = (image[:, None] == image) & ~torch.eye(len(unique), dtype=torch.bool, device=tags.device)
        weights = pairs / (per_image * (per_image - 1)).clamp(min=1)[:, None]
        push = 0.5 * (torch.exp(-squared) * weights).sum()
        return AssociativeEmbeddingLoss(pull / num_images, push / num_images)
