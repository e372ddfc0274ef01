"""The table of published models, from projects/ICTrack/model_zoo.csv."""

from __future__ import annotations

import csv
from pathlib import Path

# Line of a page that is replaced by the table.
PLACE = "<!-- table of projects/ICTrack/model_zoo.csv -->"
_HEADER = "| model | `--format` | published AP | here | configuration | from | license |\n|---|---|---|---|---|---|---|"


def read_models(path: Path) -> list[dict[str, str]]:
    """Rows of the file by the names of its columns."""
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def zoo_table(models: list[dict[str, str]]) -> str:
    """Markdown table, one row a published file of weights."""
    rows = []
    for model in models:
        ap = f"{model['ap']} ({model['metric']})" if model["ap"] else "not stated"
        links = f"[source]({model['source']})" + (f", [weights]({model['weights']})" if model["weights"] else "")
        config = f"`{model['config']}`"
        cells = [model["model"], f"`{model['format']}`", ap, model["here"], config, links, model["license"]]
        rows.append(f"| {' | '.join(cells)} |")
    return "\n".join([_HEADER, *rows])
