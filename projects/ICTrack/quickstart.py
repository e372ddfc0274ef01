"""Train on synthetic images and unlabeled clips, track others, compare, and write a report. See README."""

import argparse
import sys
from pathlib import Path

from experiments.quickstart.masks import MaskConfigs, default_num_processes, run_quickstart
from experiments.quickstart.poses import PoseConfigs, run_pose_quickstart
from ictrack.structures.command_line import non_negative_int, positive_int, run_command

CONFIGS = Path("configs/quickstart")
OUTPUTS = {"masks": Path("output/quickstart"), "pose": Path("output/quickstart_pose")}

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--task", choices=sorted(OUTPUTS), default="masks", help="kind of tracked object")
    parser.add_argument("--output", type=Path, help="default: output/quickstart, or output/quickstart_pose for poses")
    parser.add_argument("--seed", type=non_negative_int, default=1)
    parser.add_argument("--num-processes", type=positive_int, default=default_num_processes())
    parser.add_argument("--real-clip", type=Path, metavar="DIR", help="poses: a folder of frames to track as well")
    parser.add_argument("opts", nargs="*", help="KEY VALUE pairs that override the configurations")
    arguments = parser.parse_args()
    output = arguments.output or OUTPUTS[arguments.task]
    common = (output, arguments.seed, arguments.num_processes, arguments.opts)
    if arguments.task == "masks" and arguments.real_clip:
        parser.error("--real-clip goes with --task pose")

    def run() -> None:
        if arguments.task == "masks":
            run_quickstart(MaskConfigs.in_folder(CONFIGS), *common)
        else:
            run_pose_quickstart(PoseConfigs.in_folder(CONFIGS), *common, real_clip=arguments.real_clip)

    sys.exit(run_command(run))
