"""What pictures are drawn from: drawings, fonts and strings, fetched once by a recipe and opened cheaply afterwards."""

from flashsight.demo.material.fetching import fetch
from flashsight.demo.material.opened import Font, Material, Sprite

__all__ = ["Font", "Material", "Sprite", "fetch"]
