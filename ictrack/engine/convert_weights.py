"""Conversion of files of weights: published to ours, checked against the model that is to load them, and back."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import torch
from detectron2.config import CfgNode
from torch import Tensor

from ictrack.checkpoint import CheckpointError, convert_weights, load_tensors
from ictrack.checkpoint.coverage import is_embedding, part_of
from ictrack.checkpoint.fit import fit_weights, rename_for
from ictrack.checkpoint.published import FORMATS, Conversion, published_weights
from ictrack.checkpoint.weights_file import BACKBONE_ONLY
from ictrack.modeling.build import build_model
from ictrack.structures.atomic_file import replacing
from ictrack.structures.command_line import OutputError

from .published_config import published_config, published_settings, write_config
from .setup import ConfigError, load_config

AUTO = "auto"
# Names that are written: ours, or those of a program that checks them.
TARGETS = ("ictrack", "mmdet")


@dataclass(frozen=True)
class ConversionReport:
    """What a conversion did.

    Attributes:
        source: Kind of the file that was read.
        model: Meta-architecture of the model that it was checked against.
        set: Part of the model -> number of its tensors that the output sets.
        initial: Part of the model -> number of its tensors that are left at their initialization.
        unused: Names of the file that are deliberately left out.
        files: Files that were written.
    """

    source: str
    model: str
    set: Mapping[str, int]
    initial: Mapping[str, int]
    unused: list[str]
    files: list[Path] = field(default_factory=list)

    def lines(self) -> list[str]:
        """Lines to show."""
        kinds = Counter(
            name.rsplit(".", 1)[-1] if name.endswith("tracked") else name.split(".")[0] for name in self.unused
        )
        found = [f"source: {self.source}", f"model: {self.model}", f"set: {_counts(self.set)}"]
        found += [f"deliberately unused: {_counts(kinds)}"] if kinds else []
        found += [f"left at initialization: {_counts(self.initial)}"] if self.initial else []
        return [*found, *(f"{path}: written" for path in self.files)]


def convert_file(
    source: Path,
    output: Path,
    *,
    kind: str = AUTO,
    config_file: str = AUTO,
    overrides: Sequence[str] = (),
    target: str = "ictrack",
) -> ConversionReport:
    """Convert a file of weights, and check every name and shape against the model that the configuration builds.

    Args:
        source: File that :func:`ictrack.checkpoint.load_tensors` reads.
        output: File to write, .pth or .safetensors.
        kind: One of :data:`ictrack.checkpoint.published.FORMATS`, or "auto": found by the names.
        config_file: Configuration of the model, or "auto": read from the weights' names and shapes, and written beside
            the output.
        overrides: KEY VALUE pairs over the configuration.
        target: One of ``TARGETS``: whose names the output has.

    Raises:
        CheckpointError: The file cannot be read, is of no known kind, or does not fit the model; nothing is written.
        OutputError: The output has another suffix.
        ConfigError: Another name of a kind or a target, or the configuration is wrong.
    """
    for flag, value, known in (("--format", kind, (AUTO, *FORMATS)), ("--to", target, TARGETS)):
        if value not in known:
            raise ConfigError(f"{flag} {value}: none of {', '.join(known)}")
    if output.suffix not in (".pth", ".safetensors"):
        raise OutputError(f"{output}: must end in .pth or .safetensors")
    tensors = load_tensors(source)
    try:
        conversion = convert_weights(tensors, kind)
        cfg = _auto_config(conversion, overrides) if config_file == AUTO else load_config(config_file, overrides)
        weights, report = _check(conversion, cfg)
        if target != "ictrack":
            if conversion.source.is_backbone:
                raise CheckpointError(f"a backbone alone is no detector of {target}")
            report.unused.extend(name for name in weights if is_embedding(name))
            detector = {name: x for name, x in weights.items() if not is_embedding(name)}
            weights = published_weights(detector, target)
    except CheckpointError as error:
        raise CheckpointError(f"{source}: {error}") from error
    _write(output, weights, "model" if target == "ictrack" else "state_dict", conversion.source.is_backbone)
    report.files.append(output)
    if config_file == AUTO:
        cfg.MODEL.WEIGHTS = str(output)
        written = output.with_suffix(".yaml")
        write_config(cfg, written, f"{conversion.source.title}, read from the names and shapes of its weights.")
        report.files.append(written)
    return report


def _auto_config(conversion: Conversion, overrides: Sequence[str]) -> CfgNode:
    cfg = published_config(published_settings(conversion))
    try:
        cfg.merge_from_list(list(overrides))
    except (KeyError, AssertionError, ValueError) as error:
        raise ConfigError(f"command line: {error}") from error
    return cfg


def _check(conversion: Conversion, cfg: CfgNode) -> tuple[dict[str, Tensor], ConversionReport]:
    """Weights that the configured model takes, and what is known of them."""
    plain = cfg.clone()
    plain.MODEL.WEIGHTS = plain.MODEL.HRNET.WEIGHTS = plain.MODEL.TIMM.WEIGHTS = ""
    plain.MODEL.DEVICE = "cpu"
    model = build_model(plain)
    weights = rename_for(model, conversion.weights)
    fit = fit_weights(weights, model.state_dict(), backbone_only=conversion.source.is_backbone)
    name = cfg.MODEL.META_ARCHITECTURE
    if problems := fit.problems():
        what = f"the backbone of {name}" if conversion.source.is_backbone else name
        raise CheckpointError(f"a {conversion.source.title} that does not fit {what} as configured: {problems}")
    counters = [x for x in conversion.weights if x not in fit.weights and x.endswith("batches_tracked")]
    report = ConversionReport(
        source=f"{conversion.source.title} ({conversion.source.formats[0]})",
        model=name,
        set=Counter(map(part_of, fit.weights)),
        initial=Counter(map(part_of, fit.initial)),
        unused=[*conversion.unused, *counters],
    )
    return fit.weights, report


def _write(output: Path, weights: Mapping[str, Tensor], key: str, is_backbone: bool) -> None:
    whole = {name: x.clone(memory_format=torch.contiguous_format) for name, x in weights.items()}
    with replacing(output) as file:
        if output.suffix == ".safetensors":
            from safetensors.torch import save

            file.write(save(whole, {BACKBONE_ONLY: "true"} if is_backbone else None))
        else:
            content: dict[str, Any] = {key: whole}
            torch.save({**content, BACKBONE_ONLY: True} if is_backbone else content, file)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{name} {count}" for name, count in counts.items())
