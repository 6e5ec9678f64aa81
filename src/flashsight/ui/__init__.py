"""The page: plain HTML, CSS and ES modules, served as they are. Knows the HTTP surface only."""

from pathlib import Path

STATIC_FOLDER = Path(__file__).parent / "static"
