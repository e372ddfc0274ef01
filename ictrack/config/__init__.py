"""Configuration keys that ICTrack adds to Detectron2's defaults.

Values tagged "paper" are from the supplementary of Fu et al., CVPR 2021 (arXiv 2104.00287), values tagged "SOLO" from
the public SOLO v1 code (github.com/WXinlong/SOLO), and values tagged "inferred" are ours where the paper is silent.
"""

from detectron2.config import CfgNode as CN

from .any_detector import add_any_detector_config
from .backbone import add_backbone_config
from .data import add_data_config
from .embedding import add_embedding_config
from .point_set_anchor import add_point_set_anchor_config
from .ready_detectors import add_ready_detector_config
from .solo import add_solo_config
from .tracker import add_tracker_config
from .training import add_adapt_config, add_solver_config

__all__ = ["add_embedding_config", "add_ictrack_config", "add_tracker_config"]


def add_ictrack_config(cfg: CN) -> None:
    """Add ICTrack's keys to ``cfg`` in place. Call once, before ``cfg.merge_from_file``."""
    # Ordered names of the detector's classes, or the name of a registered data set that has them; [] takes those of
    # DATASETS.TRAIN[0]. Training writes the names into the config.yaml beside its weights.
    cfg.MODEL.CLASSES = []
    # Accept MODEL.WEIGHTS that lack a whole part of the detector (backbone, feature pyramid, a head) or hold an
    # embedding head of another form; such files are refused by default.
    cfg.MODEL.ALLOW_PARTIAL_WEIGHTS = False
    add_solo_config(cfg)
    add_point_set_anchor_config(cfg)
    add_ready_detector_config(cfg)
    add_any_detector_config(cfg)
    add_embedding_config(cfg)
    add_backbone_config(cfg)
    add_tracker_config(cfg)
    add_data_config(cfg)
    add_solver_config(cfg)
    add_adapt_config(cfg)
