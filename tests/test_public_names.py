"""What the library's packages offer by name."""

import importlib
import subprocess
import sys

import pytest
import torch
from detectron2.config import get_cfg
from detectron2.layers import ShapeSpec
from detectron2.structures import Instances

from ictrack import add_embedding_config, add_tracker_config
from ictrack.modeling import build_embedding_head
from ictrack.tracking import EmbeddingTracker, build_tracker

PACKAGES = (
    "", ".checkpoint", ".data", ".data.datasets", ".engine", ".evaluation", ".evaluation.metrics", ".losses",
    ".modeling", ".structures", ".tracking", ".visualization",
)  # fmt: skip


@pytest.mark.parametrize("package", PACKAGES)
def test_every_name_is_there(package):
    module = importlib.import_module(f"ictrack{package}")
    assert module.__all__
    for name in module.__all__:
        assert getattr(module, name) is not None
    with pytest.raises(AttributeError, match="no_such_name"):
        _ = module.no_such_name


def test_the_package_alone_is_light():
    program = "import sys, ictrack; print(ictrack.__version__, dir(ictrack), {'torch', 'numpy'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert "'VideoTracker'" in done.stdout and done.stdout.endswith("set()\n")


def test_a_head_needs_its_own_keys_only():
    cfg = get_cfg()
    add_embedding_config(cfg)
    cfg.MODEL.EMBEDDING.NAME, cfg.MODEL.EMBEDDING.READOUT = "InstanceEmbeddingHead", "mask"
    head = build_embedding_head(cfg, {"p3": ShapeSpec(channels=8, stride=8)})
    mask = torch.ones(1, 64, 64, dtype=torch.bool)
    instances = Instances((64, 64), pred_masks=mask)
    (embeddings,) = head.embed({"p3": torch.rand(1, 8, 8, 8)}, [instances], (64, 64))
    assert embeddings.shape == (1, cfg.MODEL.EMBEDDING.DIM)


def test_a_tracker_needs_its_own_keys_only():
    cfg = get_cfg()
    add_tracker_config(cfg)
    assert isinstance(build_tracker(cfg, 64, 96), EmbeddingTracker)
