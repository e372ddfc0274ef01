"""Convert published weights to ICTrack's names, and check that they fit the model. Nothing is written that does not.

Whole detectors: SOLO, Decoupled SOLO and SOLOv2 of mmdetection (mmdet) and of their authors (wxinlong), SOLOv2 of
AdelaiDet (adelaidet), PointSetAnchor for poses (psa). Backbones alone, which leave the rest of the model as it is
initialized: HRNet (hrnet, timm), ResNet (torchvision, timm), Detectron2 (detectron2). Files: .pth, .safetensors, .npz,
.onnx and Detectron2's .pkl; no code from them is run.

examples:
  ictrack convert solo_r50_fpn_3x_coco.pth --output solo.pth
      finds out what the file is, and writes solo.yaml, its configuration, beside solo.pth
  ictrack convert solo_r50_fpn_3x_coco.pth --config-file configs/YouTubeVIS-2019/ictrack_solo_R_50_FPN_3x.yaml
      --output solo.safetensors
      checks the file against a configuration; its embedding head is left to be trained
  ictrack convert output/model_final.pth --config-file output/config.yaml --to mmdet --output for_mmdet.pth
      writes a SOLO of ours under mmdetection's names
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from ictrack.structures.command_line import check_outputs

from .parser import make_parser


def run(argv: Sequence[str]) -> None:
    parser = make_parser("convert", __doc__)
    parser.add_argument("source", type=Path, help="file of weights")
    parser.add_argument("--output", type=Path, required=True, help="file to write: .pth or .safetensors")
    parser.add_argument("--format", default="auto", help="what SOURCE is: one of the names above (default: found out)")
    parser.add_argument(
        "--config-file", default="auto", help="of the model (default: auto, read from the weights and written)"
    )
    parser.add_argument("--to", default="ictrack", help="names to write: ictrack or mmdet (default: ictrack)")
    parser.add_argument("opts", nargs="*", metavar="KEY VALUE", help="override the configuration")
    args = parser.parse_intermixed_args(argv)
    from ictrack.engine.convert_weights import convert_file

    configuration = args.output.with_suffix(".yaml") if args.config_file == "auto" else None
    check_outputs([args.output, configuration], [args.source])
    report = convert_file(
        args.source,
        args.output,
        kind=args.format,
        config_file=args.config_file,
        overrides=args.opts,
        target=args.to,
    )
    print("\n".join(report.lines()))
