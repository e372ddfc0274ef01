"""Instance contrastive (IC) loss and its maximum-entropy regularizer: learning to tell instances apart on images.

Fu et al., "Learning to Track Instances without Video Annotations", CVPR 2021 (arXiv 2104.00287), Eqs. (2) to (6).

Naming convention:
    P: positive embeddings in all images of the mini-batch, K: instances, D: embedding dimension
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor
from torch.nn import functional as F


class InstanceContrastiveLoss(NamedTuple):
    """Unweighted terms, each a scalar. ``center + lambda * contrastive`` is L_IC of Eq. (5)."""

    center: Tensor
    contrastive: Tensor
    entropy: Tensor


def instance_contrastive_loss(
    embeddings: Tensor, ids: Tensor, *, normalize: bool = False, temperature: float = 1.0
) -> InstanceContrastiveLoss:
    """Terms of the instance contrastive loss over one set of positives.

    Instances are compared by S = C C^T / ``temperature``, C being the (K, D) centers of their positives. With
    ``normalize`` the positives are L2-normalized *before* the centers are taken, and the centers are left as they are:
    S_kj is then the mean cosine over all pairs of a positive of k and a positive of j, and Eq. (4) can still improve
    the diagonal S_kk, the agreement of k's own positives. (Normalized centers would fix it at 1.)

    Everything runs in at least float32, also under autocast. Without any instance the terms are zeros that are
    connected to ``embeddings``, so that every process of a data-parallel group has gradients to exchange.

    Args:
        embeddings: (P, D) positives, in any order.
        ids: (P,) integer id of each positive's instance.
        normalize: Whether to compare by cosine instead of by raw dot product.
        temperature: Divisor of the similarities; 1 is the paper's form.

    Raises:
        ValueError: the shapes do not fit together.
    """
    if embeddings.dim() != 2 or ids.shape != embeddings.shape[:1]:
        shapes = f"{tuple(embeddings.shape)} and {tuple(ids.shape)}"
        raise ValueError(f"expected (P, D) embeddings and (P,) ids, got {shapes}")
    with torch.autocast(device_type=embeddings.device.type, enabled=False):
        embeddings = embeddings.to(torch.promote_types(embeddings.dtype, torch.float32))
        if normalize:
            embeddings = F.normalize(embeddings, dim=1)
        unique_ids, instances = torch.unique(ids, return_inverse=True)
        centers, counts = instance_centers(embeddings, instances, len(unique_ids))
        similarity = centers @ centers.T / temperature  # (K, K)
        return InstanceContrastiveLoss(
            center=center_loss(embeddings, instances, centers, counts),
            contrastive=contrastive_loss(similarity),
            entropy=max_entropy_loss(similarity),
        )


def instance_centers(embeddings: Tensor, instances: Tensor, num_instances: int) -> tuple[Tensor, Tensor]:
    """Mean embedding and number of positives of every instance (C_k and N_k in Eqs. (2) to (4)).

    Args:
        embeddings: (P, D) positives.
        instances: (P,) int64 in [0, num_instances), each value present at least once.
        num_instances: K.

    Returns:
        (K, D) centers and (K,) counts, in the dtype of ``embeddings``.
    """
    counts = torch.bincount(instances, minlength=num_instances).to(embeddings.dtype)  # (K,)
    sums = embeddings.new_zeros(num_instances, embeddings.shape[1]).index_add(0, instances, embeddings)
    return sums / counts[:, None], counts


def center_loss(embeddings: Tensor, instances: Tensor, centers: Tensor, counts: Tensor) -> Tensor:
    """Center loss, Eq. (2): 1/K sum_k 1/(N_k D) sum_i |q_i - C_k|_1, with gradient through the centers.

    Args:
        embeddings, instances: (P, D) and (P,) arguments of :func:`instance_centers`.
        centers, counts: (K, D) and (K,) results of :func:`instance_centers`.

    Returns:
        Scalar; zero if there is no instance, or every instance has one positive.
    """
    distance = (embeddings - centers[instances]).abs().mean(dim=1)  # (P,)
    return (distance / counts[instances]).sum() / max(len(centers), 1)


def contrastive_loss(similarity: Tensor) -> Tensor:
    """Contrastive loss, Eq. (4): -1/K sum_k log softmax(S_k)_k, the cross-entropy of S's rows against the identity.

    Args:
        similarity: (K, K) logits S = C C^T (divided by a temperature, if any).

    Returns:
        Scalar; zero for K <= 1.
    """
    if len(similarity) == 0:
        return similarity.sum()
    return -F.log_softmax(similarity, dim=1).diagonal().mean()


def max_entropy_loss(similarity: Tensor) -> Tensor:
    """Maximum-entropy regularizer: every instance should be equally similar to all *other* instances.

    With p_i the softmax of row i without its diagonal, and H its entropy: L_ME = 1/K sum_i (log(K - 1) - H(p_i)).
    It is at least 0, and 0 iff all off-diagonal entries of a row are equal. It keeps the embedding from encoding the
    category, which would put two dogs closer to each other than to a car. The paper names the term (Eq. (6)), but its
    printed form was not available; this form is well-posed and its scale does not depend on K.

    Args:
        similarity: (K, K) logits of :func:`contrastive_loss`.

    Returns:
        Scalar; zero for K <= 2, where there is at most one other instance.
    """
    num_instances = len(similarity)
    if num_instances <= 2:
        return similarity.sum() * 0
    others = ~torch.eye(num_instances, dtype=torch.bool, device=similarity.device)
    log_p = F.log_softmax(similarity[others].view(num_instances, num_instances - 1), dim=1)
    negative_entropy = (log_p.exp() * log_p).sum(dim=1)  # (K,)
    return negative_entropy.mean() + math.log(num_instances - 1)
