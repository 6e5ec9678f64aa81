"""Writes the file tree of README.md: every file of the package with the first words of its own text.

python scripts/tree.py          # rewrites the block between the two markers
python scripts/tree.py --check  # exit status 1 if the block is out of date
"""

from __future__ import annotations

import ast
import re
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parent.parent
READMES = ("README.md",)
BEGIN, END = "<!-- tree: written by scripts/tree.py -->\n```\n", "```\n<!-- end of tree -->"
SOURCES = ROOT / "src" / "flashsight"
SHOWN = {".py", ".js", ".css", ".html"}


def phrase(path: Path) -> str:
    """The first sentence of a file's docstring or first comment, without its full stop."""
    text = path.read_text(encoding="utf-8")
    if path.suffix == ".py":
        said = ast.get_docstring(ast.parse(text)) or ""
    else:
        found = re.match(r"\s*(?://|/\*)\s*(.+)", text)
        said = found[1].removesuffix("*/").strip() if found else ""
    sentence = re.split(r"(?<=[a-z0-9)`])[.;](?:\s|$)|\n\n", " ".join(said.split("\n\n")[0].split()), maxsplit=1)[0]
    return sentence.rstrip(".:")


def lines() -> Iterator[str]:
    """Yield the tree: a line per folder with the phrase of its __init__, a line per file."""
    yield "src/flashsight/"
    yield from _folder(SOURCES, 1)


def _folder(folder: Path, depth: int) -> Iterator[str]:
    for path in sorted(folder.iterdir(), key=lambda path: (path.is_dir(), path.name)):
        indent = "  " * depth
        if path.is_dir() and not path.name.startswith(("__pycache__", ".")) and path.name not in ("vendor", "assets"):
            opening = path / "__init__.py"
            yield _line(f"{indent}{path.name}/", phrase(opening) if opening.exists() else "")
            yield from _folder(path, depth + 1)
        elif path.suffix in SHOWN and path.name != "__init__.py" and path.stat().st_size:
            yield _line(f"{indent}{path.name}", phrase(path))


def _line(name: str, said: str) -> str:
    return f"{name:<28} {said}".rstrip()


def main() -> int:
    """Rewrite or check the block in README.md."""
    block = BEGIN + "\n".join(lines()) + "\n" + END
    stale = []
    for name in READMES:
        path = ROOT / name
        old = path.read_text(encoding="utf-8")
        start, end = old.index(BEGIN.split("\n")[0]), old.index(END.split("\n")[1]) + len(END.split("\n")[1])
        new = old[:start] + block + old[end:]
        if new != old:
            stale.append(name)
            if "--check" not in sys.argv:
                path.write_text(new, encoding="utf-8")
    return 1 if stale and "--check" in sys.argv else 0


if __name__ == "__main__":
    sys.exit(main())
