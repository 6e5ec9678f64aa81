"""Shows what nano gets wrong: a page of small pictures with question, truth and answer. Knows no model."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from PIL import Image

from flashsight.demo.suite import ROWS, Case

PAGE, PICTURES = "nano-failures.md", "nano-failures"
EACH = 2  # of every row
SIDE = 300  # pixels

HEAD = """\
# What nano gets wrong

The first wrong answers of each row of `flashsight demo evaluate`, which writes this page; rates: see the model card.
Every picture was drawn or rendered for validation; those with drawings or photographs of others are left out here.
评测中每一项最先出现的错误答案,未经挑选。
"""
_FOREIGN = ("cards", "drawings", "photos", "pairs", "everything")
_PICTURED = frozenset(row.name for row in ROWS if not row.source.startswith(_FOREIGN))


def write_gallery(out: Path, cases: Sequence[Case], wrong: Sequence[Mapping[str, Any]]) -> Path:
    """Write PAGE and its pictures (WebP, at most SIDE pixels) into a folder; `wrong` as `suite.failures` gives it.

    Pictures that hold drawings or photographs of others are left out: their licences ask for more than a page can keep.
    """
    folder = out / PICTURES
    folder.mkdir(parents=True, exist_ok=True)
    for old in folder.glob("*.webp"):
        old.unlink()
    seen: Counter[str] = Counter()
    lines = [HEAD]
    for failure in wrong:
        row = failure["row"]
        if seen[row] == EACH:
            continue
        if not seen[row]:
            lines.append(f"\n## {row}\n")
        seen[row] += 1
        pictures = cases[failure["case"]].sample.pictures if row in _PICTURED else ()
        for place, pixels in enumerate(pictures):
            name = f"{failure['case']:04}-{place}.webp"
            picture = Image.fromarray(pixels)
            picture.thumbnail((SIDE, SIDE), Image.Resampling.LANCZOS)
            picture.save(folder / name, "WEBP", quality=60, method=6)
            lines.append(f"![{_cell(failure['question'])}]({PICTURES}/{name})")
        lines.append("\n| asked | true | said |\n|---|---|---|")
        lines.append("| " + " | ".join(_cell(failure[name]) for name in ("question", "truth", "answer")) + " |\n")
    path = out / PAGE
    path.write_text("\n".join(lines), encoding="utf-8")
    return path


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("\n", " ⏎ ").replace("[", "(").replace("]", ")")
