"""Scenes by name: a question in two languages, a schema and sampling, read from TOML. Knows no model and no HTTP."""

from flashsight.presets.folder import BUILT_IN, load_presets
from flashsight.presets.preset import Language, Preset, PresetSampling, Worded, preset_named, with_prompt

__all__ = [
    "BUILT_IN",
    "Language",
    "Preset",
    "PresetSampling",
    "Worded",
    "load_presets",
    "preset_named",
    "with_prompt",
]
