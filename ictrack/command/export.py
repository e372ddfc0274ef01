"""Export a model to one file, with its weights and all that is needed to track with it.

Models: SOLO with any mask head, PointSetAnchor, and the default models of `ictrack track` for boxes (NanoDet) and poses
(MoveNet), also adapted, with their embedding heads.

formats (--format):
  onnx          for ONNX Runtime and others, images of any size; `ictrack track --onnx FILE` needs no PyTorch
  torch-export  for torch.export.load: compilers, and programs in C++; raw outputs, images of any size, or of --size

outputs (--outputs):
  detections    boxes, scores, classes, masks or keypoints, and embeddings of an image, as it comes from a decoder
  raw           the network's outputs for a normalized and padded image, for post-processing of your own

examples:
  ictrack export --output boxes.onnx
  ictrack export --task pose --output poses.onnx
  ictrack export --config-file output/config.yaml --output model.onnx MODEL.WEIGHTS output/model_final.pth
  ictrack export --config-file solo.yaml --outputs raw --format torch-export --output solo.pt2
  ictrack track --onnx model.onnx --input street.mp4 --output tracks.mp4
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence

from ictrack.structures.command_line import check_outputs, positive_int

from .parser import make_parser


def run(argv: Sequence[str]) -> None:
    parser = make_parser("export", __doc__)
    parser.add_argument(
        "--config-file",
        metavar="YAML",
        help="configuration of the model and tracker",
    )
    parser.add_argument(
        "--task", choices=("boxes", "pose"), help="default model of `ictrack track`, without a configuration (boxes)"
    )
    parser.add_argument("--output", required=True, metavar="FILE", help="file to write: .onnx or .pt2")
    parser.add_argument("--format", choices=("onnx", "torch-export"), default="onnx", help="see above (onnx)")
    parser.add_argument("--outputs", choices=("detections", "raw"), default="detections", help="(detections)")
    parser.add_argument(
        "--size",
        type=positive_int,
        nargs=2,
        metavar=("H", "W"),
        help="of all images of a torch-export (any)",
    )
    parser.add_argument("opts", nargs=argparse.REMAINDER, metavar="KEY VALUE", help="configuration keys to override")
    args = parser.parse_args(argv)
    if args.size and args.format == "onnx":
        parser.error("--size is that of a torch-export; ONNX takes images of any size")
    if args.config_file and args.task:
        parser.error("--task is that of a default model; a configuration has its own")
    check_outputs([args.output], [args.config_file] if args.config_file else [])
    from ictrack.engine.export import export_model
    from ictrack.engine.setup import load_config
    from ictrack.model_zoo import get_config_file

    from .log import show_log

    show_log()
    cfg = load_config(args.config_file or str(get_config_file(args.task or "boxes")), args.opts)
    size = tuple(args.size) if args.size else None
    facts = export_model(cfg, args.output, file_format=args.format, outputs=args.outputs, size=size)
    print(f"{args.output}: {facts.architecture}, {facts.outputs}, {args.format}")
