"""File formats of labels by name, and what each of them holds and needs."""

from __future__ import annotations

import importlib
import importlib.util
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..joints import MPII_16, POSETRACK_15, POSETRACK_18, JointSet
from ..mots_png import OBJECTS_PER_CLASS
from ..posetrack_json import MAX_TRACK_ID
from ..track_formats.fields import TrackFormatError
from ..track_formats.rows import LabeledVideo
from .features import FEATURES
from .label_set import LabelSet, label_set

_EVERYTHING = frozenset(FEATURES)
_TABLE = _EVERYTHING - {"crowds", "unlabeled-frames", "ignored-regions", "hidden-joints", "heads", "visibility"}
# Feature -> others that are nothing without it.
_PARTS = {
    "masks": {"overlaps", "empty-masks", "mask-with-pose"},
    "poses": {"joint-scores", "hidden-joints", "mask-with-pose"},
    "scores": {"score-changes"},
    "ids": {"score-changes", "class-changes"},
}


@dataclass(frozen=True)
class LabelFormat:
    """File format of labels.

    Attributes:
        name: Name.
        summary: What it is, in a line.
        holds: Names of the features that it holds, of ``FEATURES``; classes by name are held unless ``only_class``.
        needs: What every object must have: "ids", "masks", "poses".
        needs_sizes: Whether the sizes of all frames must be known.
        one_size: Whether the frames of a video have one size.
        only_class: Name that the only class has in files that state none; "" where classes have names.
        joints: Joints that poses are converted to; None: any.
        module: Module of this package with its functions ``read`` and ``write``; the name, if empty.
        package: Python package that it needs beyond ICTrack's own, as it is installed.
        max_id: Largest identity.
    """

    name: str
    summary: str
    holds: frozenset[str]
    needs: tuple[str, ...] = ()
    needs_sizes: bool = True
    one_size: bool = True
    only_class: str = ""
    joints: JointSet | None = None
    module: str = ""
    package: str = ""
    max_id: int = 2**31 - 2

    def read(self, path: str | os.PathLike, **options: Any) -> LabelSet:
        """Labels of a file or folder.

        Args:
            path: File or folder.
            options: Options of the format's own reader.

        Raises:
            AnnotationError: the file is wrong; the message has its name and the place.
            TrackFormatError: a package is missing.
            OSError: the file cannot be opened.
        """
        return label_set(path, self.read_videos(path, **options))

    def read_videos(self, path: str | os.PathLike, **options: Any) -> list[LabeledVideo]:
        """Videos of a file or folder, whose objects are not checked together; see :meth:`read`."""
        self.check_package(path)
        return self._module().read(Path(path), **options)

    def write(self, path: str | os.PathLike, labels: LabelSet) -> None:
        """Write labels, which :func:`.convert.fit` has made to fit. The file or folder appears when it is complete.

        Raises:
            TrackFormatError: the format cannot hold a number or a name in them.
            OSError: the file cannot be written.
        """
        self.check_package(path)
        self._module().write(Path(path), labels)

    def check_package(self, path: object) -> None:
        """Raise TrackFormatError, with the command that installs it, if a package is missing."""
        if self.package and importlib.util.find_spec(self.package.replace("-", "_")) is None:
            text = f"{path}: {self.name} needs the package {self.package}: pip install {self.package}"
            raise TrackFormatError(text)

    def all_held(self) -> set[str]:
        """Features that it holds, and those that are nothing without one that it does not hold."""
        return {*self.holds}.union(*(parts for whole, parts in _PARTS.items() if whole not in self.holds))

    def _module(self) -> Any:
        return importlib.import_module(f"{__package__}.{self.module or self.name.replace('-', '_')}")


_MASKS_ONLY = frozenset({"ids", "masks", "class-changes"})
_POSES = frozenset({"ids", "poses", "heads", "joint-scores", "unlabeled-frames", "ignored-regions"})

LABEL_FORMATS = {
    one.name: one
    for one in (
        LabelFormat("coco", "COCO JSON with track ids", _EVERYTHING, one_size=False),
        LabelFormat(
            "youtube-vis",
            "YouTube-VIS JSON",
            frozenset({"ids", "masks", "overlaps", "empty-masks", "scores", "crowds"}),
            ("ids", "masks"),
        ),
        LabelFormat(
            "mot",
            "MOTChallenge: <video>/gt/gt.txt, seqinfo.ini",
            frozenset({"ids", "scores", "score-changes", "class-changes", "visibility"}),
            needs_sizes=False,
        ),
        LabelFormat("mots", "MOTS text: <video>.txt", _MASKS_ONLY | {"crowds", "empty-masks"}, ("ids", "masks")),
        LabelFormat(
            "mots-png",
            "MOTS pictures: <video>/<frame>.png",
            _MASKS_ONLY | {"crowds"},
            ("ids", "masks"),
            max_id=OBJECTS_PER_CLASS - 1,
        ),
        LabelFormat(
            "davis",
            "DAVIS: <video>/<frame>.png with a palette",
            _MASKS_ONLY | {"crowds"},
            ("ids", "masks"),
            only_class="object",
            max_id=253,
        ),
        LabelFormat(
            "labelme",
            "labelme: <video>/<frame>.json",
            _EVERYTHING
            - {"class-changes", "empty-masks", "heads", "visibility", "unlabeled-frames", "ignored-regions"},
            one_size=False,
        ),
        LabelFormat(
            "cvat",
            "CVAT for video 1.1: <video>.xml",
            frozenset({"ids", "masks", "overlaps", "poses", "scores", "score-changes", "joint-scores"}),
            ("ids",),
        ),
        LabelFormat(
            "posetrack",
            "PoseTrack18 and PoseTrack21: <video>.json",
            _POSES | {"boxes", "hidden-joints"},
            ("ids", "poses"),
            needs_sizes=False,
            only_class="person",
            joints=POSETRACK_18,
            max_id=MAX_TRACK_ID - 1,
        ),
        LabelFormat(
            "posetrack17",
            "PoseTrack17: <video>.json",
            _POSES,
            ("ids", "poses"),
            needs_sizes=False,
            only_class="person",
            joints=POSETRACK_15,
        ),
        LabelFormat(
            "mpii",
            "MPII Human Pose: stills in a .mat file",
            frozenset({"poses", "heads", "hidden-joints", "unlabeled-frames"}),
            ("poses",),
            needs_sizes=False,
            one_size=False,
            only_class="person",
            joints=MPII_16,
        ),
        LabelFormat(
            "sleap",
            "SLEAP: .slp",
            frozenset({"ids", "poses", "scores", "score-changes", "class-changes", "joint-scores"}),
            ("poses",),
            needs_sizes=False,
            only_class="animal",
            package="sleap-io",
        ),
        LabelFormat(
            "deeplabcut",
            "DeepLabCut: CSV of one video",
            frozenset({"ids", "poses", "class-changes"}),
            ("ids", "poses"),
            needs_sizes=False,
            only_class="animal",
            package="sleap-io",
        ),
        LabelFormat("tracks", "ICTrack's CSV, Parquet or JSON Lines: a video", _TABLE, needs_sizes=False),
    )
}
