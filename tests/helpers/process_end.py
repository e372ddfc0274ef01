"""What is left of a process group when its process ends."""

import json
from multiprocessing import util
from pathlib import Path

from detectron2.utils import comm
from torch import distributed as dist


def note_the_group_at_the_end(folder: Path) -> None:
    """After a process of a launch, a file says whether there is still a group, and which threads of gloo."""
    file = folder / f"{comm.get_rank()}.json"
    util.Finalize(None, lambda: file.write_text(json.dumps([dist.is_initialized(), _gloo_threads()])), exitpriority=0)


def _gloo_threads() -> list[str]:
    names = [(thread / "comm").read_text().strip() for thread in Path("/proc/self/task").iterdir()]
    return sorted(name for name in names if "gloo" in name)
