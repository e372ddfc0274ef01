"""Checkpointer that runs no code from files, and writes them so that a crash leaves the last one whole."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import torch
from detectron2.checkpoint import DetectionCheckpointer
from torch import nn

import ictrack.model_zoo  # noqa: F401  (names of weights that start with ictrack://)
from ictrack.structures.atomic_file import remove_stale_parts, replacing

from .coverage import check_coverage
from .fit import fit_weights, rename_for
from .published import convert_weights, find_source
from .weight_average import WeightAverage
from .weights_file import BACKBONE_ONLY, CheckpointError, load_weights_file

# Entry of what is read from a file: kind of published detector that it holds.
_PUBLISHED = "published"


def check_weights_exist(path: str) -> None:
    """Raise CheckpointError if ``path``, a value of ``MODEL.WEIGHTS``, is neither "" nor a URL nor a file."""
    if path and "://" not in path and not Path(path.partition("?")[0]).is_file():
        raise CheckpointError(f"{path}: no such file")


class SafeCheckpointer(DetectionCheckpointer):
    """Detectron2's checkpointer with restricted reading, atomic writing and a fallback on resume.

    Published weights of detectors that :mod:`.published` knows can be loaded directly. Such a file must have all names
    of the model, and no other ones; shapes may differ, as output layers for other classes do.

    Files of another architecture are refused (see :mod:`.coverage`). A module of the model that accepts weights under
    other names has a method ``rename_weights(weights, prefix)``, which renames them in place.

    On ``resume_or_load(..., resume=True)`` a damaged last checkpoint is reported and the newest whole one is used.

    Args:
        model: Model, wrapped for data-parallel training or not.
        save_dir: Folder of the checkpoints.
        average: Average of the weights, whose ``average_state_dict()`` is saved under "model"; None: the weights.
        allow_partial: Whether to load files that leave a part of the detector unchanged.
        checkpointables: Further objects with ``state_dict`` and ``load_state_dict``.
    """

    def __init__(
        self,
        model: nn.Module,
        save_dir: str = "",
        *,
        average: WeightAverage | None = None,
        allow_partial: bool = False,
        **checkpointables: Any,
    ) -> None:
        super().__init__(model, save_dir, **checkpointables)
        self.logger = logging.getLogger(__name__)
        self._average = average
        self._allow_partial = allow_partial

    def load(self, path: str, *args: Any, **kwargs: Any) -> dict[str, Any]:
        """Load a file, as Detectron2 does; raises CheckpointError if it is missing or of another architecture."""
        check_weights_exist(path)
        try:
            return super().load(path, *args, **kwargs)
        except CheckpointError as error:
            raise CheckpointError(str(error) if path in str(error) else f"{path}: {error}") from error
        finally:
            self._parsed_url_during_load = None

    def _load_model(self, checkpoint: dict[str, Any]) -> Any:
        weights = checkpoint["model"]
        if weights and all(name.startswith("module.") for name in weights):  # saved by a wrapper
            weights = {name.removeprefix("module."): value for name, value in weights.items()}
        checkpoint["model"] = weights = rename_for(self.model, weights)
        backbone_only = checkpoint.get("matching_heuristics", False) or checkpoint.get(BACKBONE_ONLY, False)
        if (published := checkpoint.pop(_PUBLISHED, None)) and not self._allow_partial:
            problems = fit_weights(weights, self.model.state_dict()).problems(shapes=False)
            if problems:
                raise CheckpointError(
                    f"is of another architecture: a {published}, of which the model's head or backbone differs: "
                    f"{problems}; set MODEL.ALLOW_PARTIAL_WEIGHTS True to load it nevertheless"
                )
        incompatible = super()._load_model(checkpoint)
        check_coverage(
            self.model.state_dict(),
            incompatible.missing_keys,
            incompatible.incorrect_shapes,
            incompatible.unexpected_keys,
            backbone_only=backbone_only,
            allow_partial=self._allow_partial,
        )
        return incompatible

    def _load_file(self, filename: str) -> dict[str, Any]:
        content = load_weights_file(filename)
        if str(filename).endswith(".pkl") and "__author__" not in content:
            # Detectron2 matches the names in ImageNet and Detectron1 files by suffix.
            weights = content["model"].get("blobs", content["model"])
            weights = {key: value for key, value in weights.items() if not key.endswith("_momentum")}
            return {"model": weights, "__author__": "Caffe2", "matching_heuristics": True}
        source = find_source(content["model"])
        if source is not None and source.is_published_detector:
            converted = convert_weights(content["model"], strict=not self._allow_partial)
            return {"model": converted.weights, _PUBLISHED: source.title}
        url = self._parsed_url_during_load
        if url is not None and url.query == "matching_heuristics=True":  # as in Detectron2
            content["matching_heuristics"] = True
        return content

    def save(self, name: str, **kwargs: Any) -> None:
        """Write ``name.pth``, and its name beside it; a crash leaves existing files unchanged.

        Args:
            name: Name, which may begin with a folder in that of the checkpoints.
            kwargs: Further content.

        Raises:
            CheckpointError: The file cannot be written, such as on a full disk; the message names the last whole one.
        """
        if not self.save_dir or not self.save_to_disk:
            return
        data: dict[str, Any] = {
            "model": self.model.state_dict() if self._average is None else self._average.average_state_dict()
        }
        data.update({key: item.state_dict() for key, item in self.checkpointables.items()})
        data.update(kwargs)
        target = Path(self.save_dir) / f"{name}.pth"
        self.logger.info("Saving checkpoint to %s", target)
        remove_stale_parts(target)
        try:
            with replacing(target) as file:
                torch.save(data, file)
            with replacing(target.with_name("last_checkpoint")) as file:
                file.write(target.name.encode())
        except (OSError, RuntimeError) as error:
            reason = _of_the_disk(error)
            if reason is None:
                raise
            last = "there is no other"
            if self.has_checkpoint():
                last = f"{self.get_checkpoint_file()} is whole, --resume goes on from it"
            raise CheckpointError(f"{target}: cannot be written ({reason.strerror}); {last}") from error

    def resume_or_load(self, path: str, *, resume: bool = True) -> dict[str, Any]:
        """Load the newest readable checkpoint of ``save_dir`` if ``resume``, else ``path`` ("" loads nothing)."""
        if not (resume and self.has_checkpoint()):
            return self.load(path, checkpointables=[])
        last = Path(self.get_checkpoint_file())
        others = sorted(Path(self.save_dir).glob("*.pth"), key=lambda p: p.stat().st_mtime, reverse=True)
        for candidate in [last, *(p for p in others if p != last)]:
            try:
                load_weights_file(candidate)
            except CheckpointError as error:
                self.logger.warning("Skipping a damaged checkpoint: %s", error)
                continue
            return self.load(str(candidate))
        raise CheckpointError(f"{self.save_dir}: none of its checkpoints can be read")


def _of_the_disk(error: BaseException | None) -> OSError | None:
    """Error of the operating system behind one of torch.save, which hides it in the context of a RuntimeError."""
    while error is not None and not isinstance(error, OSError):
        error = error.__context__
    return error
