"""Draws training examples: pictures composed from material, with questions, true answers and patch labels."""

from flashsight.demo.scenes.mix import SCENES, draw_sample

__all__ = ["SCENES", "draw_sample"]
