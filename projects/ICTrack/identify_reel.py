"""Identify objects that leave and return, whose number is not known, and measure how many get their number back.

Labeled clips of any data in YouTube-VIS's format are played one after another, forwards and then backwards. Their masks
are the detections; their tracks are only compared with.

example:
  python identify_reel.py --annotations clips/instances.json --images clips/JPEGImages --output reel
"""

import argparse
from pathlib import Path

from experiments.identities.reel import make_reel, score_reel
from ictrack.command.log import show_log
from ictrack.data.video_io import open_frames
from ictrack.engine.given_detections import detections_config
from ictrack.engine.identify import identify
from ictrack.engine.identity_files import write_identification
from ictrack.engine.video_tracker import VideoTracker

if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--annotations", required=True, type=Path, help="file in YouTube-VIS's format")
    parser.add_argument("--images", required=True, type=Path, help="folder of its frames")
    parser.add_argument("--output", required=True, type=Path, help="folder to make")
    parser.add_argument("--passes", type=int, default=4, help="how often each clip is played (4)")
    parser.add_argument("--iterations", type=int, default=1000, help="steps of training (1000)")
    parser.add_argument("--seed", type=int, default=0, help="of the training")
    arguments = parser.parse_args()
    show_log()
    reel = make_reel(arguments.annotations, arguments.images, arguments.output, arguments.passes)
    cfg = detections_config(str(reel.detections), None, config_file="", overrides=["MODEL.DEVICE", "cpu"])
    cfg.MODEL.META_ARCHITECTURE = "GivenDetections"
    result = identify(
        VideoTracker.from_config(cfg),
        lambda: open_frames(str(reel.frames)),
        iterations=arguments.iterations,
        seed=arguments.seed,
    )
    write_identification(result, arguments.output / "identities", cfg, None)
    print(result)
    print(score_reel(reel, result))
