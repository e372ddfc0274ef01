"""The configuration reference names every key that ICTrack adds, with its default and a comment."""

import ast

import pytest
from code_blocks import ROOT
from detectron2.config import CfgNode, get_cfg

from config_reference import config_sources, read_keys, reference_page
from ictrack import add_ictrack_config


def leaves(node, prefix=""):
    for key, value in node.items():
        if isinstance(value, CfgNode):
            yield from leaves(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


def test_every_key_is_there_with_its_default():
    sources = config_sources(ROOT / "ictrack" / "config")
    keys = {key.name: key for source in sources for key in read_keys(source)}
    before = dict(leaves(get_cfg()))
    cfg = get_cfg()
    add_ictrack_config(cfg)
    added = {name: value for name, value in leaves(cfg) if name not in before}
    assert len(added) > 150
    for name, value in added.items():
        if name in keys:
            assert ast.literal_eval(keys[name].default) == value, name
        else:  # within a node that is written as one value
            parent, _, last = name.rpartition(".")
            assert ast.literal_eval(keys[parent].default)[last] == value, name
    assert all(key.comment for key in keys.values())


SOURCE = '''"""About."""
def _add(cfg):
    group = cfg.MODEL.GROUP = CN()
    # Weights <of> both
    # terms.
    group.A = 1.0
    group.B = 2.0
    # Formats:
    #   "x"  one,
    #        that goes on
    #   "y"  another
    # and more.
    group.C = []
'''


def test_comments():
    a, b, c = read_keys(SOURCE)
    assert (a.name, a.default, a.comment) == ("MODEL.GROUP.A", "1.0", "Weights <of> both terms.")
    assert b.comment == a.comment
    assert c.comment == 'Formats:\n"x"  one, that goes on\n"y"  another\nand more.'
    page = reference_page([SOURCE])
    assert "## MODEL.GROUP" in page and r"| `A` | `1.0` | Weights \<of> both terms. |" in page
    assert '"x"  one, that goes on<br>"y"' in page


def test_a_key_without_a_comment_is_refused():
    with pytest.raises(ValueError, match=r"MODEL\.GROUP\.A has no comment"):
        read_keys("def add(cfg):\n    cfg.MODEL.GROUP.A = 1\n")
