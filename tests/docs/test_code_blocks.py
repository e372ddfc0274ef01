"""Every block of code of the pages is run here, in its order on the page, or says why not.

Trainings are shortened, and find small data under the names that the pages use.
"""

import json
import shutil
import zipfile

import cv2
import numpy as np
import parity_solo
import pytest
import tiny_video_dataset
import torch
from coco_squares import content_of, write_squares
from code_blocks import PAGES, ROOT, Block, blocks_of
from color_detector import scene
from mot_case import write_mot_case
from mots_case import write_mots_case
from tao_case import tao_case

from ictrack.command.main import COMMANDS, main
from ictrack.data.video_writer import VideoWriter
from ictrack.engine.setup import load_config
from ictrack.modeling.build import build_model
from ictrack.structures.labels import convert_labels

GOLDEN = ROOT / "tests" / "data"
# What shortens a run, after the arguments of a page.
SHORT = [
    "MODEL.DEVICE", "cpu", "SOLVER.MAX_ITER", "1", "SOLVER.IMS_PER_BATCH", "2", "DATALOADER.NUM_WORKERS", "0",
    "INPUT.CROP_SIZE", "[64,96]", "INPUT.MIN_SIZE_TEST", "64", "INPUT.UNLABELED.SIZE", "[64,96]",
]  # fmt: skip
SHORTENED = {
    "train": SHORT,
    "check": SHORT,
    # Keys that shrink the model to that of the file under the published one's name.
    "convert": [
        "MODEL.RESNETS.STEM_OUT_CHANNELS", "8", "MODEL.RESNETS.RES2_OUT_CHANNELS", "32",
        "MODEL.RESNETS.WIDTH_PER_GROUP", "8", "MODEL.FPN.OUT_CHANNELS", "64", "MODEL.SOLO.NUM_CLASSES", "8",
        "MODEL.SOLO.CONV_DIM", "64", "MODEL.SOLO.NUM_GRIDS", "[12,10,8,6,4]", "INPUT.MIN_SIZE_TEST", "64",
    ],
    "identify": ["--iterations", "2", "--device", "cpu"],
    "tune": ["MODEL.DEVICE", "cpu"],
    "track": ["--max-frames", "2", "--device", "cpu"],
    "adapt": [
        "--iterations", "1", "--device", "cpu", "--set", "ADAPT.MEASURED_PAIRS", "2", "ADAPT.CLIPS_PER_BATCH", "1",
    ],
}  # fmt: skip


def write_images(folder, num_categories):
    (folder / "images").mkdir(parents=True)
    write_squares(folder / "images")
    (folder / "instances.json").write_text(json.dumps(content_of(num_categories)))


def write_stills(folder):
    """The pictures and masks of :func:`write_images` with labelme's files beside them."""
    images = folder / "images"
    labels = folder / "labelme"
    list(convert_labels(folder / "instances.json", "coco", labels, "labelme"))
    shutil.move(labels / "instances", folder / "stills")
    labels.rmdir()
    for path in images.iterdir():
        shutil.copy(path, folder / "stills")


def write_arena(path):
    """Two dark disks on a plain background, which touch in the middle."""
    with VideoWriter(path, 12) as writer:
        for index in range(12):
            image = np.full((64, 96, 3), 200, np.uint8)
            for x in (38, 56) if index in (5, 6) else (24, 70):
                cv2.circle(image, (x + index % 4, 30), 10, (40, 40, 40), -1)
            writer.write(image)


def write_published(folder):
    """A detector of mmdetection and a backbone of torchvision under their names, narrow."""
    folder.mkdir()
    weights = parity_solo.published_weights("mmdet3")
    torch.save({"meta": {}, "state_dict": weights}, folder / "solo_r50_fpn_3x_coco.pth")
    backbone = {name.removeprefix("backbone."): x for name, x in weights.items() if name.startswith("backbone.")}
    torch.save(backbone, folder / "resnet50.pth")


def write_video(path):
    with VideoWriter(path, 12) as writer:
        for index in range(12):
            writer.write(scene(index))


@pytest.fixture(scope="module")
def world(tmp_path_factory):
    """What the pages suppose: the user's data, results to score, and what the quick-start has left."""
    root = tmp_path_factory.mktemp("world")
    for name in ("configs", "ictrack", "tools", "examples", "datasets"):
        (root / name).symlink_to(ROOT / name)
    write_images(root / "my", num_categories=2)
    write_stills(root / "my")
    _, frames = tiny_video_dataset.write_dataset(root / "vis")
    content = json.loads((root / "vis" / "annotations.json").read_text())
    names = {9: "square 1", 4: "square 0"}
    content["categories"] = [{"id": key, "name": name} for key, name in sorted(names.items())]
    (root / "my" / "videos.json").write_text(json.dumps(content))
    shutil.move(frames, root / "my" / "frames")
    for name in ("my/street.mp4", "my/yard.mp4", "my_video.mp4"):
        write_video(root / name)
    write_arena(root / "my" / "arena.mp4")
    write_published(root / "downloads")
    for split in ("stills_train", "stills_val"):
        write_images(root / "output" / "quickstart" / "sample" / split, num_categories=4)
    keys = [*SHORT, "MODEL.TIMM.NAME", "lcnet_035", "MODEL.TIMM.WEIGHTS", ""]
    keys += ["MODEL.WEIGHTS", "output/quickstart/model.pth"]
    cfg = load_config(str(ROOT / "configs" / "quickstart" / "solo_lite0_video.yaml"), keys)
    cfg.MODEL.CLASSES = ["person", "animal", "vehicle", "food"]
    (root / "output" / "quickstart" / "config.yaml").write_text(cfg.dump())
    torch.save({"model": build_model(cfg).state_dict()}, root / "output" / "quickstart" / "model.pth")
    case = GOLDEN / "golden_vis" / "vis_tiny_basic_s0"
    shutil.copy(case / "gt.json", root / "valid.json")
    shutil.copy(case / "pred.json", root / "results.json")
    with zipfile.ZipFile(root / "results.zip", "w") as archive:
        archive.write(case / "pred.json", "results.json")
    poses = GOLDEN / "golden_pose" / "pose_tiny_basic_s0"
    shutil.copytree(poses / "gt", root / "annotations" / "val")
    shutil.copytree(poses / "pred", root / "predictions")
    write_mot_case(root / "mot", seed=0)
    (root / "MOT17").mkdir()
    shutil.move(root / "mot" / "gt", root / "MOT17" / "train")
    shutil.move(root / "mot" / "results" / "data", root / "output" / "data")
    (root / "TAO").mkdir()
    gt, results = tao_case(0)
    (root / "TAO" / "validation.json").write_text(json.dumps(gt))
    (root / "output" / "tao.json").write_text(json.dumps(results))
    write_mots_case(root / "mots", seed=0, first_frame=0)
    (root / "KITTI").mkdir()
    shutil.move(root / "mots" / "gt", root / "KITTI" / "instances_txt")
    shutil.move(root / "mots" / "results" / "data", root / "output" / "mots")
    return root


def run_command(words):
    assert words[0] == "ictrack", f"no test knows how to run {words[0]}"
    # The check of annotations alone takes no configuration.
    is_whole = words[1] == "check" and not words[2].startswith("--")
    shorter = [] if is_whole else SHORTENED.get(words[1], [])
    # Flags come before KEY VALUE pairs, which end a command.
    before, after = (shorter, []) if shorter and shorter[0].startswith("--") else ([], shorter)
    status = main([words[1], *before, *words[2:], *after])
    assert status == 0, words


def run_block(block: Block, names: dict) -> None:
    if block.title:
        with open(block.title, "w") as file:
            file.write(block.code)
    if block.language == "bash":
        for words in block.commands():
            run_command(words)
    elif block.language == "yaml":
        load_config(block.title)
    else:
        assert block.language == "python"
        exec(compile(block.code, "block", "exec"), names)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_blocks(page, world, monkeypatch):
    monkeypatch.chdir(world)
    monkeypatch.setattr("ictrack.command.log.setup_logger", lambda **kwargs: None)
    names: dict = {}
    for block in blocks_of(page):
        if not block.reason and block.language not in ("bibtex", "text"):
            try:
                run_block(block, names)
            except (Exception, SystemExit) as error:
                raise AssertionError(f"{page.name}:{block.line}: {type(error).__name__}: {error}") from error


def test_commands_that_are_not_run_have_the_command_s_arguments_nevertheless():
    """A block that is not run still names sub-commands that there are."""
    for page in PAGES:
        for block in blocks_of(page):
            for words in block.commands() if block.language == "bash" else []:
                assert words[0] != "ictrack" or words[1] in COMMANDS, f"{page.name}:{block.line}"


def test_what_a_block_is(tmp_path):
    (tmp_path / "page.md").write_text(
        '# Page\n\n<!-- not run: slow -->\n```bash\na "b\nc" \\\n  d  # e\nf\n```\n\n'
        '```yaml title="x.yaml"\nA: 1\n```\n'
    )
    first, second = blocks_of(tmp_path / "page.md")
    assert (first.reason, first.language, first.line) == ("slow", "bash", 4)
    assert first.commands() == [["a", "b\nc", "d"], ["f"]]
    assert (second.reason, second.title, second.code) == ("", "x.yaml", "A: 1\n")
