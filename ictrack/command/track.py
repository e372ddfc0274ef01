"""Track objects through a video, a folder of frames, a camera, a stream, or a list of videos, and draw them.

Without a configuration, boxes of 80 COCO classes, or people's poses, by published models that need no training; or what
another detector found, from its file (--detections).

examples:
  ictrack track --input street.mp4 --output tracks.mp4
  ictrack track --input street.mp4 --output tracks.mp4 --classes person dog
  ictrack track --input dance.mp4 --output tracks.mp4 --task pose --save-tracks poses.json
  ictrack track --input street.mp4 --detections boxes.json --save-tracks tracks.json
  ictrack track --config-file output/quickstart/config.yaml --input street.mp4 --output tracks.mp4
  ictrack track --input 'videos/*.mp4' --output 'out/{name}.mp4' --save-tracks 'out/{name}.json' --resume
  ictrack track --input rtsp://camera/1 --save-tracks tracks.jsonl
  ictrack track --onnx model.onnx --input street.mp4 --output tracks.mp4
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ictrack.structures.command_line import check_outputs
from ictrack.structures.track_formats import FORMATS, format_of

from .parser import make_parser
from .track_model import check_model_arguments, choose_model
from .track_source import add_source_arguments, check_names, is_tracked, source_options, track_list


def run(argv: Sequence[str]) -> int:
    parser = make_parser("track", __doc__)
    width = max(map(len, FORMATS))
    formats = "\n".join(f"  {name:<{width}}  {one.summary}" for name, one in FORMATS.items())
    parser.epilog = f"formats of tracks (--format):\n{formats}"
    parser.add_argument("--config-file", default="", metavar="YAML", help="configuration of the detector and tracker")
    parser.add_argument("--task", choices=("boxes", "pose"), help="what to track without a configuration (boxes)")
    parser.add_argument(
        "--detections", metavar="FILE",
        help="track what is in this file or folder, instead of running a detector: COCO, YouTube-VIS, MOTChallenge, "
        "MOTS, YOLO, labelme, CVAT, CSV, ...",
    )  # fmt: skip
    parser.add_argument("--detections-format", metavar="NAME", help="its format, where the content does not tell it")
    parser.add_argument("--classes", nargs="+", metavar="NAME", default=(), help="only these of the detector's classes")
    parser.add_argument("--weights", metavar="FILE", help="checkpoint, instead of MODEL.WEIGHTS, or an .onnx detector")
    parser.add_argument("--onnx", metavar="FILE", help="model and tracker of `ictrack export`, which need no PyTorch")
    add_source_arguments(parser)
    parser.add_argument("--output", metavar="MP4", help="the video with the tracks drawn in; of a list: DIR/{name}.mp4")
    parser.add_argument(
        "--save-tracks", metavar="FILE",
        help="the tracks, in the format of the suffix: .json (YouTube-VIS for masks, else COCO), .txt (MOTChallenge), "
        ".xml (CVAT), .csv, .parquet, .jsonl",
    )  # fmt: skip
    parser.add_argument(
        "--format", metavar="NAME",
        help="format of --save-tracks, instead of the suffix's; they are listed below",
    )  # fmt: skip
    parser.add_argument(
        "--resume", action="store_true",
        help="go on with the run that broke off or was stopped, from FILE.partial.jsonl beside --save-tracks",
    )  # fmt: skip
    parser.add_argument("--show", action="store_true", help="a window with the tracks, while they are made; q stops")
    parser.add_argument("--crop-gallery", metavar="DIR", help="a picture of each identity, its best crops over time")
    parser.add_argument(
        "--tracker", metavar="NAME",
        help="EmbeddingTracker, SpatialTracker or one of Detectron2's; instead of TRACKER_HEADS.TRACKER_NAME",
    )  # fmt: skip
    parser.add_argument("--device", help="cpu, cuda, cuda:1, ...; instead of MODEL.DEVICE")
    parser.add_argument("--amp", action="store_true", help="mixed precision, where the hardware has it")
    parser.add_argument("opts", nargs=argparse.REMAINDER, metavar="KEY VALUE", help="configuration keys to override")
    args = parser.parse_args(argv)
    if not (args.output or args.save_tracks or args.crop_gallery or args.show):
        parser.error("nothing to do: give --output, --save-tracks, --crop-gallery or --show")
    check_model_arguments(args, parser.error)
    if args.format and not args.save_tracks:
        parser.error("--format is that of --save-tracks, which is missing")
    if args.save_tracks:
        format_of(args.save_tracks, args.format)
    from ictrack.data.video_list import list_videos

    outputs = [args.output, args.save_tracks, args.crop_gallery]
    videos = list_videos(args.input)
    if videos is None:
        check_outputs(
            [args.output, args.save_tracks], [args.input, args.weights, args.config_file, args.detections, args.onnx]
        )
    else:
        check_names(outputs, videos, parser.error)

    options = source_options(args, videos, parser.error)
    from ictrack.data.frame_source import check_source, open_source
    from ictrack.engine.fingerprint import run_fingerprint
    from ictrack.engine.video_run import track_video

    if videos is None:
        check_source(args.input)
    tracker, settings, files = choose_model(args)

    def track(source: str, paths: Sequence[str | None]) -> bool:
        frames = open_source(source, options)
        output, save_tracks, crop_gallery = paths
        summary = track_video(
            tracker,
            frames,
            output,
            save_tracks=save_tracks,
            track_format=args.format,
            crop_gallery=crop_gallery,
            show=args.show,
            max_frames=args.max_frames,
            progress=True,
            resume=args.resume,
            fingerprint=run_fingerprint(settings, files, frames, str(options), *args.classes),
        )
        print(f"{source}: stages, which overlap: {summary.stages}")
        print(f"{source}: {summary} -> {', '.join(filter(None, paths))}")
        return not summary.stopped

    if videos is None:
        track(args.input, outputs)
        return 0
    return track_list(videos, track, outputs, lambda paths: args.resume and is_tracked(paths[1]))
