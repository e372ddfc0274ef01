"""The keypoint embedding module (KEM): an embedding a joint, and with it one a person.

Supplementary of Fu et al., CVPR 2021 (arXiv 2104.00287), sections 2.2 and 3.2.

Naming convention:
    B: images, N_i: people of image i, P_i: poses that stand for them in training, R: poses of all images, J: joints,
    D: embedding dimension
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from detectron2.config import CfgNode, configurable
from detectron2.layers import ShapeSpec
from torch import Tensor
from torch.nn import functional as F

from ictrack.losses.associative_embedding import associative_embedding_loss
from ictrack.losses.instance_contrastive import InstanceContrastiveLoss, instance_contrastive_loss
from ictrack.structures.joints import joint_set

from .build import EMBEDDING_HEADS, KeypointEmbeddingHead
from .keypoint_map import KeypointEncoderDecoder, inside_map, sample_joints

OBJECTIVES = ("instance_contrastive", "scalar_tags", "vector_tags")
LEVELS = ("joint", "person")
SIMILARITIES = ("person", "joints")
JOINT_REDUCTIONS = ("mean", "sum")
HEATMAP = "heatmap"


@EMBEDDING_HEADS.register()
class KeypointEmbeddingModule(KeypointEmbeddingHead):
    """Keypoint embeddings, read bilinearly at the predicted joints off one map (:class:`KeypointEncoderDecoder`).

    Three objectives:

    * ``"instance_contrastive"`` (paper): the instance contrastive loss once for each joint, of which the mean or the
      sum is taken, and once for people, whose embedding is the mean of their joints'. Negatives are all other people of
      this process's mini-batch. Either level can be left out.
    * ``"scalar_tags"``: associative embedding in its original form, a tag of one number for each joint, from a channel
      of its own. It takes the place of both instance contrastive losses.
    * ``"vector_tags"``: associative embedding of D-dimensional tags that are read as the embeddings above are.

    A joint is valid if it is labelled (in training) or scores above ``min_joint_score`` (at test time), is not one of
    ``ignored_joints``, and lies in the frame.
    """

    @configurable
    def __init__(
        self,
        *,
        feature: str,
        input_shape: dict[str, ShapeSpec],
        conv_dim: int = 256,
        num_groups: int = 32,
        dim: int = 128,
        output_conv: bool = True,
        objective: str = "instance_contrastive",
        levels: Sequence[str] = LEVELS,
        joint_reduction: str = "mean",
        max_poses: int = 16,
        use_ground_truth: bool = True,
        similarity: str = "person",
        min_joint_score: float = 0.2,
        ignored_joints: Sequence[int] = (),
        loss_weight: float = 1.0,
        contrastive_weight: float = 1.0,
        entropy_weight: float = 0.1,
        pull_weight: float = 1e-3,
        push_weight: float = 1e-3,
        normalize: bool = False,
        temperature: float = 1.0,
        backprop_to_features: bool = True,
    ):
        """
        Args:
            feature: name of the feature that is read beside the heatmap.
            input_shape: channels and strides of it and of "heatmap".
            conv_dim, num_groups, dim, output_conv: see :class:`KeypointEncoderDecoder`; with "scalar_tags" J takes the
                place of ``dim``.
            objective: one of the three.
            levels: of the instance contrastive loss, of "joint" and "person".
            joint_reduction: "mean" or "sum" of the joints' losses.
            max_poses: predicted poses of a person in training, at random if there are more.
            use_ground_truth: read at the labelled joints, too.
            similarity: what is given to a tracker: "person" or "joints", see :meth:`embed`.
            min_joint_score: score above which a predicted joint is valid.
            ignored_joints: indices of joints that are never valid.
            loss_weight: weight of all terms of the instance contrastive loss.
            contrastive_weight, entropy_weight: lambda of Eq. (5), and the weight of the maximum-entropy term.
            pull_weight, push_weight: of the two terms of associative embedding.
            normalize, temperature: see :func:`instance_contrastive_loss`.
            backprop_to_features: let the gradient of the losses pass into the feature. None ever passes into the
                heatmaps and the places of the joints.
        """
        super().__init__()
        if missing := [name for name in (feature, HEATMAP) if name not in input_shape]:
            raise ValueError(f"MODEL.EMBEDDING.IN_FEATURES {missing} are not among the features {list(input_shape)}")
        if objective not in OBJECTIVES:
            raise ValueError(f"MODEL.EMBEDDING.KEYPOINT.OBJECTIVE is {objective!r}, expected one of {OBJECTIVES}")
        if not levels or not set(levels) <= set(LEVELS):
            raise ValueError(f"MODEL.EMBEDDING.KEYPOINT.LEVELS are {list(levels)}, expected some of {LEVELS}")
        if joint_reduction not in JOINT_REDUCTIONS:
            raise ValueError(
                f"MODEL.EMBEDDING.KEYPOINT.JOINT_REDUCTION is {joint_reduction!r}, expected one of {JOINT_REDUCTIONS}"
            )
        if similarity not in SIMILARITIES:
            raise ValueError(f"MODEL.EMBEDDING.KEYPOINT.SIMILARITY is {similarity!r}, expected one of {SIMILARITIES}")
        if max_poses < 0 or not (max_poses or use_ground_truth):
            raise ValueError(
                f"MODEL.EMBEDDING.KEYPOINT.MAX_POSES is {max_poses}: with USE_GROUND_TRUTH {use_ground_truth} there is "
                "nothing to train on"
            )
        num_joints = input_shape[HEATMAP].channels
        self.in_features = [feature, HEATMAP]
        self.stride = input_shape[feature].stride / 2
        self.objective = objective
        self.levels = tuple(levels)
        self.joint_reduction = joint_reduction
        self.max_poses = max_poses
        self.use_ground_truth = use_ground_truth
        self.similarity = similarity
        self.min_joint_score = min_joint_score
        self.joints = [joint for joint in range(num_joints) if joint not in set(ignored_joints)]
        self.center_weight = loss_weight
        self.contrastive_weight = loss_weight * contrastive_weight
        self.entropy_weight = loss_weight * entropy_weight
        self.pull_weight = pull_weight
        self.push_weight = push_weight
        self.normalize = normalize
        self.temperature = temperature
        self.backprop_to_features = backprop_to_features
        self.map = KeypointEncoderDecoder(
            in_channels=input_shape[feature].channels,
            num_joints=num_joints,
            conv_dim=conv_dim,
            num_groups=num_groups,
            dim=num_joints if objective == "scalar_tags" else dim,
            output_conv=output_conv,
        )

    @classmethod
    def from_config(cls, cfg: CfgNode, input_shape: dict[str, ShapeSpec]) -> dict:
        emb, kem, psa = cfg.MODEL.EMBEDDING, cfg.MODEL.EMBEDDING.KEYPOINT, cfg.MODEL.POINT_SET_ANCHOR
        names = emb.IN_FEATURES or psa.IN_FEATURES[:1]
        if len(names) != 1:
            raise ValueError(f"KeypointEmbeddingModule reads one feature; MODEL.EMBEDDING.IN_FEATURES are {names}")
        joints = joint_set(psa.JOINT_SET)
        return {
            "feature": names[0],
            "input_shape": input_shape,
            "conv_dim": emb.CONV_DIM,
            "num_groups": emb.NUM_GROUPS,
            "dim": emb.DIM,
            "output_conv": kem.OUTPUT_CONV,
            "objective": kem.OBJECTIVE,
            "levels": kem.LEVELS,
            "joint_reduction": kem.JOINT_REDUCTION,
            "max_poses": kem.MAX_POSES,
            "use_ground_truth": kem.USE_GROUND_TRUTH,
            "similarity": kem.SIMILARITY,
            "min_joint_score": kem.MIN_JOINT_SCORE,
            "ignored_joints": [joints.index(name) for name in kem.IGNORED_JOINTS],
            "loss_weight": emb.LOSS_WEIGHT,
            "contrastive_weight": emb.CONTRASTIVE_WEIGHT,
            "entropy_weight": emb.ENTROPY_WEIGHT,
            "pull_weight": kem.PULL_WEIGHT,
            "push_weight": kem.PUSH_WEIGHT,
            "normalize": emb.NORMALIZE,
            "temperature": emb.TEMPERATURE,
            "backprop_to_features": emb.BACKPROP_TO_FEATURES,
        }

    def forward(self, features: dict[str, Tensor]) -> Tensor:
        """
        Args:
            features: name -> (B, C, H, W), and "heatmap" -> (B, J, h, w).

        Returns:
            (B, D, 2H, 2W); J channels with "scalar_tags".
        """
        feature, heatmaps = (features[name] for name in self.in_features)
        return self.map(feature if self.backprop_to_features else feature.detach(), heatmaps.detach())

    def losses(
        self,
        features: dict[str, Tensor],
        keypoints: Sequence[Tensor],
        predicted: Sequence[Tensor],
        people: Sequence[Tensor],
        ids: Sequence[Tensor],
    ) -> dict[str, Tensor]:
        """See :class:`KeypointEmbeddingHead`.

        Returns:
            "loss_embed_joint_center" (Eq. 2), "..._contrast" (Eq. 4) and "..._entropy", means or sums over joints, and
            "loss_embed_person_center" and so on; or "loss_embed_pull" and "loss_embed_push".
        """
        poses, owners = [], []  # of each image (P_i, J, 3) and (P_i,)
        for image_keypoints, image_predicted, image_people in zip(keypoints, predicted, people):
            kept = _at_most(self.max_poses, image_people)
            poses.append(image_predicted[kept])
            owners.append(image_people[kept])
            if self.use_ground_truth:
                poses[-1] = torch.cat([poses[-1], image_keypoints.to(poses[-1])])
                owners[-1] = torch.cat([owners[-1], torch.arange(len(image_keypoints), device=image_people.device)])
        embeddings, valid = self._read(self(features), poses, 0.0)  # (R, J, D), (R, J)
        if self.objective == "instance_contrastive":
            identities = torch.cat([image_ids[owner] for image_ids, owner in zip(ids, owners)])
            return self._instance_contrastive(embeddings, valid, identities)
        lengths = valid.new_tensor([len(owner) for owner in owners], dtype=torch.int64)
        images = torch.arange(len(owners), device=valid.device).repeat_interleave(lengths)
        counts = lengths.new_tensor([len(k) for k in keypoints])
        person = torch.cat(owners) + (counts.cumsum(0) - counts)[images]
        row = valid.nonzero()[:, 0]
        terms = associative_embedding_loss(embeddings[valid], person[row], images[row], len(owners))
        return {"loss_embed_pull": self.pull_weight * terms.pull, "loss_embed_push": self.push_weight * terms.push}

    def embed(self, features: dict[str, Tensor], keypoints: Sequence[Tensor]) -> list[Tensor]:
        """Embeddings of detected people, as ``MODEL.EMBEDDING.KEYPOINT.SIMILARITY`` says. Someone without a valid
        joint is read at all that are not ignored.

        Returns:
            B float32 tensors, for

            * "person": (N_i, D), the mean over valid joints, not normalised; D is 1 with "scalar_tags".
            * "joints": (N_i, J, D), the L2-normalised embedding of each valid joint and 0 for the others. A tracker
              then compares two people by the mean cosine over the joints that are valid in both. With "scalar_tags"
              (N_i, J, 2), the tag and a 1, to be compared by distance.
        """
        embeddings, valid = self._read(self(features), keypoints, self.min_joint_score)
        valid = torch.where(valid.any(dim=1, keepdim=True), valid, self._selected(valid))
        if self.similarity == "person":
            result = _masked_mean(embeddings, valid)
        else:
            is_scalar = self.objective == "scalar_tags"
            parts = F.pad(embeddings, (0, 1), value=1.0) if is_scalar else F.normalize(embeddings, dim=2)
            result = parts * valid[..., None]
        return list(result.split([len(k) for k in keypoints]))

    def read(self, features: dict[str, Tensor], keypoints: Sequence[Tensor]) -> tuple[Tensor, Tensor]:
        """The mean over valid joints of each person who has one."""
        embeddings, valid = self._read(self(features), keypoints, self.min_joint_score)
        return _people(embeddings, valid, _rows(keypoints))

    def read_levels(
        self, features: dict[str, Tensor], keypoints: Sequence[Tensor]
    ) -> list[list[tuple[Tensor, Tensor]]]:
        """The head's levels: each valid joint that is not ignored, people as :meth:`read` gives them, or both."""
        embeddings, valid = self._read(self(features), keypoints, self.min_joint_score)
        return list(self._by_level(embeddings, valid, _rows(keypoints)).values())

    def _read(self, embedding_map: Tensor, poses: Sequence[Tensor], min_score: float) -> tuple[Tensor, Tensor]:
        """Embeddings (R, J, D) at poses B x (P_i, J, 3), and (R, J) whether they are valid."""
        pose = torch.cat(list(poses)).detach()
        read = sample_joints(embedding_map, [p[..., :2].detach() for p in poses], self.stride)
        if self.objective == "scalar_tags":
            read = read.diagonal(dim1=1, dim2=2)[..., None]
        valid = (pose[..., 2] > min_score) & inside_map(embedding_map, pose[..., :2], self.stride)
        return read, valid & self._selected(valid)

    def _selected(self, like: Tensor) -> Tensor:
        """(J,) bool: the joints that are not ignored."""
        selected = torch.zeros(like.shape[1], dtype=torch.bool, device=like.device)
        selected[self.joints] = True
        return selected

    def _instance_contrastive(self, embeddings: Tensor, valid: Tensor, ids: Tensor) -> dict[str, Tensor]:
        losses = {}
        for name, parts in self._by_level(embeddings, valid, ids).items():
            terms = zip(*(self._terms(*part) for part in parts))
            reduce = torch.sum if self.joint_reduction == "sum" else torch.mean
            reduced = InstanceContrastiveLoss(*(reduce(torch.stack(term)) for term in terms))
            losses[f"loss_embed_{name}_center"] = self.center_weight * reduced.center
            losses[f"loss_embed_{name}_contrast"] = self.contrastive_weight * reduced.contrastive
            losses[f"loss_embed_{name}_entropy"] = self.entropy_weight * reduced.entropy
        return losses

    def _by_level(self, embeddings: Tensor, valid: Tensor, labels: Tensor) -> dict[str, list[tuple[Tensor, Tensor]]]:
        """For each level the embeddings (P, D) that are compared with each other, with their ``labels`` (R, ...)."""
        levels = {}
        if "joint" in self.levels:
            levels["joint"] = [(embeddings[valid[:, j], j], labels[valid[:, j]]) for j in self.joints]
        if "person" in self.levels:
            levels["person"] = [_people(embeddings, valid, labels)]
        return levels

    def _terms(self, embeddings: Tensor, ids: Tensor) -> InstanceContrastiveLoss:
        return instance_contrastive_loss(embeddings, ids, normalize=self.normalize, temperature=self.temperature)


def _masked_mean(embeddings: Tensor, valid: Tensor) -> Tensor:
    """(R, D): mean over the valid (R, J) of (R, J, D); each row has one."""
    return (embeddings * valid[..., None]).sum(dim=1) / valid.sum(dim=1, keepdim=True)


def _people(embeddings: Tensor, valid: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Mean over valid joints (R, J) of (R, J, D), and the ``labels`` (R, ...), of poses that have one."""
    with_joints = valid.any(dim=1)
    return _masked_mean(embeddings[with_joints], valid[with_joints]), labels[with_joints]


def _rows(keypoints: Sequence[Tensor]) -> Tensor:
    """(R, 2) int64 (image, index of the person in its image) of B x (N_i, J, 3)."""
    everybody = [k.new_ones(len(k), dtype=torch.bool).nonzero() for k in keypoints]
    return torch.cat([F.pad(indices, (1, 0), value=image) for image, indices in enumerate(everybody)])


def _at_most(count: int, people: Tensor) -> Tensor:
    """Indices of (P,) poses, at random at most ``count`` of each of the ``people`` (P,) that they belong to."""
    order = torch.randperm(len(people), device=people.device)
    order = order[people[order].argsort(stable=True)]
    owner = people[order]
    first = torch.searchsorted(owner, owner)
    return order[torch.arange(len(owner), device=people.device) - first < count]
