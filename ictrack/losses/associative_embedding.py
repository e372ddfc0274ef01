"""Associative embedding (AE) loss: tags of one person's joints are pulled together, tags of different people apart.

Newell et al., "Associative Embedding: End-to-End Learning for Joint Detection and Grouping", NIPS 2017, in the form of
github.com/princeton-vl/pose-ae-train. It groups joints inside an image, and is the baseline in the supplement to
Fu et al., CVPR 2021 (arXiv 2104.00287).

Naming convention:
    R: tags read at joints in all images of the mini-batch, N: people, D: dimension of a tag
"""

from __future__ import annotations

from typing import NamedTuple

import torch
from torch import Tensor

from .instance_contrastive import instance_centers


class AssociativeEmbeddingLoss(NamedTuple):
    """Unweighted terms, each a scalar."""

    pull: Tensor
    push: Tensor


def associative_embedding_loss(
    tags: Tensor, people: Tensor, images: Tensor, num_images: int
) -> AssociativeEmbeddingLoss:
    """Pull and push term, the means over images of (t_nr is tag r of person n, m_n the mean of its R_n tags)

        pull = 1/N sum_n 1/R_n sum_r mean_d (t_nr - m_n)^2
        push = 1/2 * 1/(N (N - 1)) sum_{n != n'} exp(-|m_n - m_n'|^2)

    for the N people of an image. Pull is 0 for an image without people, push for one with fewer than two. A person
    that several anchors predict has a tag for each joint of each anchor; with one anchor this is the original loss.

    Everything runs in at least float32, also under autocast, and is connected to ``tags`` even if R is 0.

    Args:
        tags: (R, D) tags.
        people: (R,) integer id of each tag's person, unique over images.
        images: (R,) int64 index of each tag's image.
        num_images: Number of images in the mini-batch.

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
        image = images.new_zeros(len(unique)).index_copy(0, person, images)  # (N,) image of each person
        per_image = torch.bincount(image, minlength=num_images).to(tags.dtype)[image]  # (N,) people in that image

        spread = (tags - means[person]).square().mean(dim=1)
        pull = (spread / (counts * per_image)[person]).sum()

        squared = (means[:, None] - means).square().sum(dim=2)
        pairs = (image[:, None] == image) & ~torch.eye(len(unique), dtype=torch.bool, device=tags.device)
        weights = pairs / (per_image * (per_image - 1)).clamp(min=1)[:, None]
        push = 0.5 * (torch.exp(-squared) * weights).sum()
        return AssociativeEmbeddingLoss(pull / num_images, push / num_images)
