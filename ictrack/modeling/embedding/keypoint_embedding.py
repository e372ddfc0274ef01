"""Keypoint embedding module (KEM): an embedding of each joint and, as their mean, of each person.

Supplementary of Fu et al., CVPR 2021 (arXiv 2104.00287), sections 2.2 and 3.2.

Naming convention:
    B: images, N_i: poses of image i (in training possibly several of a person), R: poses of all images, J: joints,
    D: embedding dimension
"""

from __future__ import annotations

from collections.abc import Sequence

import torch
from detectron2.config import CfgNode, configurable
from detectron2.layers import ShapeSpec
from detectron2.structures import Instances, Keypoints
from torch import Tensor
from torch.nn import functional as F

from ictrack.losses.associative_embedding import associative_embedding_loss
from ictrack.losses.instance_contrastive import InstanceContrastiveLoss, instance_contrastive_loss
from ictrack.modeling.processes import gather_rows, process_ids
from ictrack.structures.joints import configured_joints

from .head import EMBEDDING_HEADS, EmbeddingHead
from .keypoint_map import KeypointEncoderDecoder, inside_map, sample_joints
from .readout import image_rows

OBJECTIVES = ("instance_contrastive", "scalar_tags", "vector_tags")
LEVELS = ("joint", "person")
SIMILARITIES = ("person", "joints")
JOINT_REDUCTIONS = ("mean", "sum")
HEATMAP = "heatmap"


@EMBEDDING_HEADS.register()
class KeypointEmbeddingModule(EmbeddingHead):
    """Keypoint embeddings, sampled bilinearly at joints from one map (:class:`KeypointEncoderDecoder`).

    In training the Instances have gt_keypoints (N_i, J, 3). A detector that matches its predicted poses to people adds
    them as rows, with the visibility of the person's label, and marks them in ``is_predicted`` (N_i,) bool.

    Objectives:

    * ``"instance_contrastive"`` (paper): instance contrastive loss of each joint (reduced to their mean or sum), and of
      people, whose embedding is the mean over their joints. Negatives are all other people of the mini-batch, with
      ``gather_instances`` of that of all processes. Either level can be left out.
    * ``"scalar_tags"``: associative embedding in its original form: a scalar tag for each joint from a channel of its
      own.
    * ``"vector_tags"``: associative embedding with D-dimensional tags.

    A joint is valid if it is labeled (in training) or scores above ``min_joint_score`` (at test time), is not in
    ``ignored_joints``, and lies inside the padded input.
    """

    @configurable
    def __init__(
        self,
        *,
        feature: str,
        input_shape: dict[str, ShapeSpec],
        num_joints: int,
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
        gather_instances: bool = True,
        backprop_to_features: bool = True,
    ):
        """
        Args:
            feature: Name of the feature to read, besides the heatmaps.
            input_shape: Shapes of the feature and, if the detector has heatmaps, of "heatmap".
            num_joints: J.
            conv_dim, num_groups, dim, output_conv: See :class:`KeypointEncoderDecoder`; "scalar_tags" uses J channels
                instead of ``dim``.
            objective: "instance_contrastive", "scalar_tags" or "vector_tags".
            levels: Levels of the instance contrastive loss: "joint", "person" or both.
            joint_reduction: "mean" or "sum" of the joints' losses.
            max_poses: Largest number of predicted poses per person in training, a random subset.
            use_ground_truth: Whether training also reads the labeled joints.
            similarity: Form of the embeddings for a tracker: "person" or "joints", see :meth:`embed`.
            min_joint_score: Score above which a predicted joint is valid.
            ignored_joints: Indices of joints that are never valid.
            loss_weight: Weight of all terms of the instance contrastive loss.
            contrastive_weight, entropy_weight: Lambda of Eq. (5), and the weight of the maximum-entropy term.
            pull_weight, push_weight: Weights of the two terms of associative embedding.
            normalize, temperature: See :func:`instance_contrastive_loss`.
            gather_instances: Whether people are compared with those of all processes.
            backprop_to_features: Whether the gradient of the losses passes into the feature; it never passes into
                heatmaps and joint locations.
        """
        super().__init__()
        if feature not in input_shape:
            raise ValueError(f"MODEL.EMBEDDING.IN_FEATURES {[feature]} are not among the features {list(input_shape)}")
        if HEATMAP in input_shape and input_shape[HEATMAP].channels != num_joints:
            raise ValueError(f"the heatmaps have {input_shape[HEATMAP].channels} joints, the head has {num_joints}")
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
                f"MODEL.EMBEDDING.KEYPOINT.MAX_POSES is {max_poses}, USE_GROUND_TRUTH {use_ground_truth}: "
                "nothing to train on"
            )
        self.reads = "keypoints"
        self.num_joints = num_joints
        self.in_features = [feature, HEATMAP] if HEATMAP in input_shape else [feature]
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
        self.gather_instances = gather_instances
        self.backprop_to_features = backprop_to_features
        self.map = KeypointEncoderDecoder(
            in_channels=input_shape[feature].channels,
            num_heatmaps=num_joints if HEATMAP in input_shape else 0,
            conv_dim=conv_dim,
            num_groups=num_groups,
            dim=num_joints if objective == "scalar_tags" else dim,
            output_conv=output_conv,
        )

    @classmethod
    def from_config(cls, cfg: CfgNode, input_shape: dict[str, ShapeSpec]) -> dict:
        emb, kem, joints = cfg.MODEL.EMBEDDING, cfg.MODEL.EMBEDDING.KEYPOINT, configured_joints(cfg)
        if joints is None:
            raise ValueError("KeypointEmbeddingModule reads keypoints: set MODEL.KEYPOINT_ON to True")
        names = emb.IN_FEATURES or list(input_shape)[:1]
        if len(names) != 1:
            raise ValueError(f"KeypointEmbeddingModule reads one feature; MODEL.EMBEDDING.IN_FEATURES are {names}")
        return {
            "feature": names[0],
            "input_shape": input_shape,
            "num_joints": len(joints),
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
            "gather_instances": emb.GATHER_INSTANCES,
            "backprop_to_features": emb.BACKPROP_TO_FEATURES,
        }

    @property
    def num_levels(self) -> int:
        return 1

    def forward(self, features: dict[str, Tensor]) -> Tensor:
        """
        Args:
            features: Name -> (B, C, H, W), and "heatmap" -> (B, J, h, w).

        Returns:
            Embedding map (B, D, 2H, 2W); "scalar_tags" has J channels.
        """
        feature, *heatmaps = (features[name] for name in self.in_features)
        return self.map(feature if self.backprop_to_features else feature.detach(), *(h.detach() for h in heatmaps))

    def dense_maps(self, features: dict[str, Tensor], levels: Sequence[int] = ()) -> list[Tensor]:
        """Embedding map (B, D, 2H, 2W), as the only level."""
        return [self(features)]

    def losses(
        self, features: dict[str, Tensor], instances: Sequence[Instances], padded_size: tuple[int, int]
    ) -> dict[str, Tensor]:
        """Losses of the objective, see :class:`EmbeddingHead`.

        Returns:
            "loss_embed_joint_center" (Eq. 2), "..._contrast" (Eq. 4) and "..._entropy", means or sums over joints, and
            the same for "loss_embed_person_..."; or "loss_embed_pull" and "loss_embed_push".
        """
        chosen = [x[self._training_rows(x)] for x in instances]
        poses = self._keypoints(chosen, padded_size)
        embeddings, valid = self._read(self(features), poses, 0.0)  # (R, J, D), (R, J)
        if self.objective == "instance_contrastive":
            ids = torch.cat([x.gt_ids for x in chosen])
            if self.gather_instances:
                embeddings, ids = gather_rows(embeddings), gather_rows(process_ids(ids))
                valid = gather_rows(valid.byte()).bool()
            return self._instance_contrastive(embeddings, valid, ids)
        # People are numbered through the batch.
        people = [x.gt_index + sum(map(len, instances[:image])) for image, x in enumerate(chosen)]
        row = valid.nonzero()[:, 0]
        images = image_rows([len(x) for x in chosen], valid.device)[:, 0]
        terms = associative_embedding_loss(embeddings[valid], torch.cat(people)[row], images[row], len(chosen))
        return {"loss_embed_pull": self.pull_weight * terms.pull, "loss_embed_push": self.push_weight * terms.push}

    def _training_rows(self, instances: Instances) -> Tensor:
        """Indices of an image's poses that the losses read: predicted ones, then labeled ones."""
        device = instances.gt_index.device
        if not instances.has("is_predicted"):
            return torch.arange(len(instances), device=device)
        predicted, labeled = (rows.nonzero()[:, 0] for rows in (instances.is_predicted, ~instances.is_predicted))
        rows = predicted[_at_most(self.max_poses, instances.gt_index[predicted])]
        return torch.cat([rows, labeled]) if self.use_ground_truth else rows

    def embed(
        self, features: dict[str, Tensor], instances: Sequence[Instances], padded_size: tuple[int, int]
    ) -> list[Tensor]:
        """Embeddings of detected people. A person without a valid joint is read at all joints that are not ignored.

        Returns:
            B float32 tensors, for ``MODEL.EMBEDDING.KEYPOINT.SIMILARITY``

            * "person": (N_i, D), mean over valid joints, not normalized; D is 1 with "scalar_tags".
            * "joints": (N_i, J, D), L2-normalized embedding of each valid joint, 0 for the others; a tracker compares
              two people by the mean cosine over the joints that are valid in both. With "scalar_tags" (N_i, J, 2), the
              tag and a 1, to be compared by distance.
        """
        result = self.embed_poses(self(features), self._keypoints(instances, padded_size))
        return list(result.split([len(x) for x in instances]))

    def embed_poses(self, embedding_map: Tensor, poses: Sequence[Tensor]) -> Tensor:
        """Embeddings of people, (R, D) or (R, J, D), see :meth:`embed`.

        Args:
            embedding_map: Result of :meth:`forward`.
            poses: B tensors (N_i, J, 3) of x, y in pixels of the padded input, and the score of each joint.
        """
        embeddings, valid = self._read(embedding_map, poses, self.min_joint_score)
        valid = valid | (~valid.any(dim=1, keepdim=True) & self._selected(valid))
        if self.similarity == "person":
            return _masked_mean(embeddings, valid)
        is_scalar = self.objective == "scalar_tags"
        parts = F.pad(embeddings, (0, 1), value=1.0) if is_scalar else F.normalize(embeddings, dim=2)
        return parts * valid[..., None]

    def read(
        self, features: dict[str, Tensor], instances: Sequence[Instances], padded_size: tuple[int, int]
    ) -> tuple[Tensor, Tensor]:
        """Mean over the valid joints of each person who has one, see :class:`EmbeddingHead`."""
        return _people(*self._read_rows(features, instances, padded_size))

    def read_levels(
        self, features: dict[str, Tensor], instances: Sequence[Instances], padded_size: tuple[int, int]
    ) -> list[list[tuple[Tensor, Tensor]]]:
        """Readings of the head's levels: "joint" (parts are joints), "person" as :meth:`read`, or both."""
        return list(self._by_level(*self._read_rows(features, instances, padded_size)).values())

    def _read_rows(
        self, features: dict[str, Tensor], instances: Sequence[Instances], padded_size: tuple[int, int]
    ) -> tuple[Tensor, Tensor, Tensor]:
        """Results of :meth:`_read`, and the (R, 2) rows (image, index in it) of the poses."""
        embeddings, valid = self._read(self(features), self._keypoints(instances, padded_size), self.min_joint_score)
        return embeddings, valid, image_rows([len(x) for x in instances], valid.device)

    def _keypoints(self, instances: Sequence[Instances], padded_size: tuple[int, int]) -> list[Tensor]:
        """B tensors (N_i, J, 3) of keypoints in pixels of the padded input."""
        poses = []
        for image in instances:
            name = "pred_keypoints" if image.has("pred_keypoints") else "gt_keypoints"
            if image.has(name):
                keypoints = image.get(name)
                keypoints = keypoints.tensor if isinstance(keypoints, Keypoints) else keypoints
                height, width = image.image_size
                poses.append(keypoints * keypoints.new_tensor([padded_size[1] / width, padded_size[0] / height, 1]))
            elif len(image):
                raise ValueError("KeypointEmbeddingModule reads keypoints, which the instances do not have")
            else:  # in Detectron2, images without people have no keypoints
                poses.append(torch.zeros((0, self.num_joints, 3), device=next(self.parameters()).device))
        return poses

    def _read(self, embedding_map: Tensor, poses: Sequence[Tensor], min_score: float) -> tuple[Tensor, Tensor]:
        """(R, J, D) embeddings at poses B x (N_i, J, 3), and (R, J) validity of the joints."""
        pose = torch.cat(list(poses)).detach()
        read = sample_joints(embedding_map, [p[..., :2].detach() for p in poses], self.stride)
        if self.objective == "scalar_tags":
            read = read.diagonal(dim1=1, dim2=2)[..., None]
        valid = (pose[..., 2] > min_score) & inside_map(embedding_map, pose[..., :2], self.stride)
        return read, valid & self._selected(valid)

    def _selected(self, like: Tensor) -> Tensor:
        """(J,) bool, True for joints that are not ignored."""
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
        """Level -> parts: (P, D) embeddings that are compared with each other, and their ``labels`` (R, ...)."""
        levels = {}
        if "joint" in self.levels:
            levels["joint"] = [(embeddings[valid[:, j], j], labels[valid[:, j]]) for j in self.joints]
        if "person" in self.levels:
            levels["person"] = [_people(embeddings, valid, labels)]
        return levels

    def _terms(self, embeddings: Tensor, ids: Tensor) -> InstanceContrastiveLoss:
        return instance_contrastive_loss(embeddings, ids, normalize=self.normalize, temperature=self.temperature)


def _masked_mean(embeddings: Tensor, valid: Tensor) -> Tensor:
    """(R, D) mean of (R, J, D) over the valid (R, J), of which each row has one."""
    return (embeddings * valid[..., None]).sum(dim=1) / valid.sum(dim=1, keepdim=True)


def _people(embeddings: Tensor, valid: Tensor, labels: Tensor) -> tuple[Tensor, Tensor]:
    """Means of (R, J, D) over valid joints (R, J), and ``labels`` (R, ...), of poses with a valid joint."""
    with_joints = valid.any(dim=1)
    return _masked_mean(embeddings[with_joints], valid[with_joints]), labels[with_joints]


def _at_most(count: int, people: Tensor) -> Tensor:
    """Indices of a random subset of P poses, at most ``count`` for each person in ``people`` (P,)."""
    order = torch.randperm(len(people), device=people.device)
    order = order[people[order].argsort(stable=True)]
    owner = people[order]
    first = torch.searchsorted(owner, owner)
    return order[torch.arange(len(owner), device=people.device) - first < count]
