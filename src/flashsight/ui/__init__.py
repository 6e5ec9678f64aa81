"""The pages: plain HTML, CSS and ES modules, served as they are. Knows the HTTP surface only."""

from pathlib import Path

STATIC_FOLDER = Path(__file__).parent / "static"
"""The page at /."""

WORKBENCH_FOLDER = Path(__file__).parent / "workbench"
"""The page for rating a run, at /workbench; it borrows the look of the other one."""
