"""Speed and memory of ICTrack's parts on this machine.

ictrack benchmark tracker [--json OUT]
ictrack benchmark tracking --data FOLDER --detections FOLDER --detector NAME [--json OUT]
ictrack benchmark track-memory|pose-runtime --config-file ... --weights ... --input video.mp4 [--json OUT]
ictrack benchmark pipeline [--config-file ... --weights ...] [--input video.mp4] [--json OUT]
ictrack benchmark endless [--frames 2000 20000] [--kills 20] [--draw] [--exported] [--json OUT]
ictrack benchmark solo [--config-file configs/SOLO/...yaml] [--against mmdet] [--json OUT]
ictrack benchmark evaluation [--reference-path FOLDER ...] [--json OUT]
ictrack benchmark data [--json OUT]
ictrack benchmark joint-step [--json OUT]      on the data that the quick-start left in output/quickstart
ictrack benchmark pose-step|pose-branches [--config-file configs/PoseTrack/...yaml] [--json OUT]
ictrack benchmark train-memory --config-file configs/PoseTrack/*.yaml [--json OUT] -- [KEY VALUE ...]
ictrack benchmark model-size --config-file configs/SOLO/*.yaml [--size 800 1333] [--json OUT] -- [KEY VALUE ...]
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path

from ictrack.evaluation.reports.tables import to_json
from ictrack.structures.command_line import non_negative_int, positive_int, positive_number

from .evaluation import CASES
from .measure import machine
from .runs import (
    run_evaluation,
    run_model_size,
    run_pipeline,
    run_pose_runtime,
    run_track_memory,
    run_tracking,
    run_train_memory,
    runs,
)


def parse_args(argv: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    commands = parser.add_subparsers(dest="command", required=True)
    tracker = commands.add_parser("tracker", help="one update of an online tracker")
    names: tuple[str, ...] = ("detections", "tracks", "dim", "masks", "warmup", "repeats", "opts")
    tracker.set_defaults(run=runs("tracker.benchmark_tracker", *names))
    tracker.add_argument("--detections", type=positive_int, default=100, help="detections in each frame")
    tracker.add_argument("--tracks", type=positive_int, default=1000, help="tracks in the memory")
    tracker.add_argument("--dim", type=positive_int, default=128, help="dimension of the embeddings")
    tracker.add_argument("--masks", type=positive_int, nargs=2, metavar=("H", "W"), help="size of masks, default: none")
    tracker.add_argument("--warmup", type=non_negative_int, default=20, help="updates before the measurement")
    tracker.add_argument("--repeats", type=positive_int, default=200, help="measured updates")
    tracking = commands.add_parser("tracking", help="trackers side by side on the same detections")
    tracking.set_defaults(run=run_tracking)
    tracking.add_argument("--data", required=True, metavar="FOLDER", help="instances.json (YouTube-VIS), JPEGImages")
    tracking.add_argument("--detections", required=True, metavar="FOLDER", help="CLIP.DETECTOR.json[.gz], COCO")
    tracking.add_argument("--detector", required=True, metavar="NAME", help="middle part of their names")
    tracking.add_argument("--steps", type=positive_int, nargs="+", default=[1, 4, 8], help="every k-th frame")
    tracking.add_argument("--bootstrap", type=non_negative_int, default=1000, metavar="N", help="95%% intervals")
    memory = commands.add_parser("track-memory", help="peak memory of tracking short and long videos")
    memory.set_defaults(run=run_track_memory)
    memory.add_argument("--frames", type=positive_int, nargs="+", default=[300, 3000])
    endless = commands.add_parser("endless", help="memory by length of the video, and runs that are killed and go on")
    endless.set_defaults(run=runs("endless.benchmark_endless", "frames", "kills", "draw", "exported", "opts"))
    endless.add_argument("--frames", type=positive_int, nargs="+", default=[2000, 20000], help="of 640 x 360 pixels")
    endless.add_argument("--kills", type=non_negative_int, default=20, help="SIGKILLs of the longest run")
    endless.add_argument("--draw", action="store_true", help="draw the mp4, too")
    endless.add_argument("--exported", action="store_true", help="without PyTorch, as ictrack track --onnx")
    pipeline = commands.add_parser("pipeline", help="tracking with drawing and saving, against its stages")
    pipeline.set_defaults(run=run_pipeline)
    pipeline.add_argument("--config-file", default="", help="default: that of ictrack track")
    pipeline.add_argument("--weights", default="")
    pipeline.add_argument("--input", default="", help="video; default: a generated one")
    pipeline.add_argument("--frames", type=positive_int, nargs=2, default=[60, 280], help="of a short and a long run")
    joint = commands.add_parser("joint-step", help="a training step with unlabeled video, against one without")
    names = ("image_config", "joint_config", "repeats", "opts")
    joint.set_defaults(run=runs("joint.benchmark_joint_step", *names))
    joint.add_argument("--image-config", default="configs/quickstart/solo_lite0.yaml")
    joint.add_argument("--joint-config", default="configs/quickstart/solo_lite0_joint.yaml")
    joint.add_argument("--repeats", type=positive_int, default=15, help="measured steps of each")
    runtime = commands.add_parser("pose-runtime", help="frames a second of pose tracking, at one scale and at several")
    runtime.set_defaults(run=run_pose_runtime)
    runtime.add_argument("--frames", type=positive_int, default=50, help="measured frames")
    step = commands.add_parser("pose-step", help="a training step of a pose detector at full size")
    step.set_defaults(run=runs("pose.benchmark_pose_step", "config_file", "size", "people", "opts"))
    step.add_argument("--people", type=non_negative_int, nargs="+", default=[0, 60], help="people; one step each")
    branches = commands.add_parser("pose-branches", help="time saved by not running unused branches")
    branches.set_defaults(run=runs("pose.benchmark_pose_branches", "config_file", "size", "repeats", "opts"))
    branches.add_argument("--repeats", type=positive_int, default=5, help="measured passes of each kind")
    solo = commands.add_parser("solo", help="a whole SOLO at full size, against mmdetection's with the same weights")
    names = ("config_file", "size", "repeats", "against", "environment", "opts")
    solo.set_defaults(run=runs("solo.benchmark_solo", *names))
    solo.add_argument("--config-file", default="configs/SOLO/solo_R_50_FPN_1x.yaml")
    solo.add_argument(
        "--size", type=positive_int, nargs=2, metavar=("H", "W"), default=[800, 1333], help="of a picture"
    )
    solo.add_argument("--repeats", type=positive_int, default=2, help="measured passes in each of three processes")
    solo.add_argument("--against", choices=["mmdet"], default="", help="installed from the registry")
    solo.add_argument("--environment", default="", metavar="FOLDER", help="where; kept for another time")
    train = commands.add_parser("train-memory", help="GPU memory of a training step, counted without a GPU")
    train.set_defaults(run=run_train_memory)
    train.add_argument("--config-file", required=True, nargs="+")
    train.add_argument("--instances", type=positive_int, default=15, help="instances in each synthetic image")
    train.add_argument("--compute", action="store_true", help="compute all: takes minutes, and the memory")
    sizes = commands.add_parser("model-size", help="parameters and operations of full-size models")
    sizes.set_defaults(run=run_model_size)
    sizes.add_argument("--config-file", required=True, nargs="+")
    sizes.add_argument("--size", type=positive_int, nargs=2, default=[800, 1333], metavar=("H", "W"))
    for command in (memory, runtime):
        command.add_argument("--config-file", required=True)
        command.add_argument("--weights", default="")
        command.add_argument("--input", required=True, help="video, folder of frames or glob")
    for command in (step, branches):
        command.add_argument("--config-file", default="configs/PoseTrack/stage1_coco_hrnet_w48.yaml")
        command.add_argument("--size", type=positive_int, default=640, help="side of the image")
    for command in (tracker, tracking, memory, pipeline, joint, runtime, step, branches):
        command.add_argument("--threads", type=positive_int, default=1, help="threads of PyTorch")
    evaluation = commands.add_parser("evaluation", help="scoring synthetic results, against the reference tools")
    evaluation.set_defaults(run=run_evaluation)
    evaluation.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    evaluation.add_argument("--scale", type=positive_number, default=1.0, help="factor on the number of videos")
    evaluation.add_argument(
        "--reference-path", type=Path, nargs="+", default=[], metavar="FOLDER",
        help="checkouts of youtubevos/cocoapi and leonid-pishchulin/poseval, or a folder that holds them",
    )  # fmt: skip
    data = commands.add_parser("data", help="reading pairs of video frames, against Detectron2's reader")
    data.set_defaults(run=runs("data.benchmark_data", "repeats", "opts"))
    data.add_argument("--repeats", type=positive_int, default=60, help="measured pairs")
    measured = (tracker, tracking, memory, pipeline, endless, joint, runtime, step, branches, solo, data, train, sizes)
    for command in measured:
        command.add_argument("opts", nargs=argparse.REMAINDER, help="KEY VALUE of the config: TRACKER_HEADS.MAX_AGE 30")
    for command in commands.choices.values():
        command.add_argument("--json", metavar="OUT", help="file to write the results to")
    return parser.parse_args(argv)


def main(argv: list[str] | None = None) -> None:
    args = parse_args(argv)
    if "threads" in args:
        import torch

        torch.set_num_threads(args.threads)
    result = {"command": args.command, **args.run(args)}
    text = json.dumps(to_json({**result, **machine()}), indent=1, allow_nan=False)
    print(text)
    if args.json:
        Path(args.json).write_text(text + "\n")
