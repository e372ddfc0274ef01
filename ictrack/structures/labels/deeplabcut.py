"""DeepLabCut's CSV of labeled frames, of one or several animals, through ``sleap-io``.

Animals are identities. As in SLEAP, the center of the first pixel is (0, 0). The pictures must be where the file says,
relative to its folder or to one of the two above; the frames are numbered in the order of their names.
"""

from __future__ import annotations

from pathlib import Path

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
    rows = sum(line.count(",") > 0 and not line.startswith(_HEADER) for line in lines)
    require(found == rows, str(path), f"{rows - found} of the {rows} pictures that it names are not there")
    return videos_of(labels, path)


def write(path: Path, labels: LabelSet) -> None:
    import sleap_io

    if len(labels.videos) > 1:
        raise TrackFormatError(f"{path}: holds one video, not {len(labels.videos)}; take a subset")
    made = labels_of(labels)
    with replacing_path(path) as part:
        sleap_io.save_csv(made, str(part), format="dlc", include_score=False, scorer="ictrack")
