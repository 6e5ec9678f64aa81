"""Which files of collections that go by titles show which concept, or nothing that nano has a name for.

Read once from `pictures.txt` beside it, whose entries were looked at: `# collection`, then `concept: file file | ...`,
with `?` for no concept. Knows no picture format.
"""

from __future__ import annotations

from collections import defaultdict
from importlib import resources


def _read() -> dict[str, tuple[tuple[str, str], ...]]:
    found: dict[str, list[tuple[str, str]]] = defaultdict(list)
    collection = ""
    for line in resources.files(__package__).joinpath("pictures.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            collection = line[2:]
            continue
        for entry in line.split(" | "):
            concept, _, files = entry.partition(":")
            found[collection] += [(file, "" if concept == "?" else concept) for file in files.split()]
    return {collection: tuple(files) for collection, files in found.items()}


PICTURES = _read()
"""Per collection (file without its ending, English name of the concept or nothing)."""
