"""DeepLabCut's CSV of labeled frames, of one or several animals, through ``sleap-io``.

Animals are identities. As in SLEAP, the center of the first pixel is (0, 0). The pictures must be where the file says,
relative to its folder or to one of the two above; their names tell the frames, see :func:`.frame_indices`.
"""

from __future__ import annotations

import csv
from pathlib import Path, PurePosixPath

from ..atomic_file import replacing_path
from ..json_files import require
from ..track_formats.fields import TrackFormatError
from ..track_formats.rows import LabeledVideo
from .label_set import LabelSet
from .sleap import labels_of, load, videos_of

_HEADER = ("scorer,", "individuals,", "bodyparts,", "coords,")


def read(path: Path) -> list[LabeledVideo]:
    """Videos of a file."""
    import sleap_io

    labels = load(lambda: sleap_io.load_dlc(str(path), config=False), path)
    found = sum(len(video.filename) for video in labels.videos)
    lines = path.read_text(encoding="utf-8", errors="replace").splitlines()
    names = [line.partition(",")[0] for line in lines if "," in line and not line.startswith(_HEADER)]
    is_analysis = bool(names) and all(map(str.isdecimal, names))
    require(not is_analysis, str(path), "is the analysis of a video, by frame numbers; labels are of pictures by name")
    require(
        found == len(names), str(path), f"{len(names) - found} of the {len(names)} pictures that it names are not there"
    )
    return videos_of(labels, path)


def write(path: Path, labels: LabelSet) -> None:
    import sleap_io

    if len(labels.videos) > 1:
        raise TrackFormatError(f"{path}: holds one video, not {len(labels.videos)}; take a subset")
    made = labels_of(labels, with_pictures=False)
    with replacing_path(path) as part:
        sleap_io.save_csv(made, str(part), format="dlc", include_score=False, scorer="ictrack")
        _name_pictures(part, labels.videos[0])


def _name_pictures(path: Path, video: LabeledVideo) -> None:
    """Put the names of a video's pictures in place of those made of the frame numbers, in its last rows."""
    with path.open(newline="", encoding="utf-8") as file:
        rows = list(csv.reader(file))
    indices = video.indices()
    for row, index in zip(rows[len(rows) - len(indices) :], indices):
        row[0] = str(PurePosixPath(row[0]).with_name(video.facts(index).file_name or PurePosixPath(row[0]).name))
    with path.open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows(rows)
