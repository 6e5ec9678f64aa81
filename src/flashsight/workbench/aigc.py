"""The implicit label of AI-generated content in a file's metadata, as GB 45438-2025 lays it out. Judges no law.

The field is called AIGC; its value is a JSON object with Label ("1": AI-generated), ContentProducer, ProduceID,
ContentPropagator, PropagateID and two reserved codes. Who must label what is for a lawyer to say.
"""

from __future__ import annotations

import json

from flashsight import __version__
from flashsight.workbench.ratings import run_id
from flashsight.workbench.records import Run
from flashsight.workbench.whole import write_whole

FIELD = "AIGC"
GENERATED = "1"

EXPLICIT = "回答与文案由人工智能生成 Answers and copy are AI-generated"
"""The label that people see."""

LABEL_FILE = "aigc.json"
"""Beside the results of a run: JSON lines and CSV have no metadata of their own."""


def label_of(run: Run) -> str:
    """The value of the field for what a run wrote. ContentProducer names this software and the model that answered.

    Whoever publishes writes their own name and number into ContentPropagator and PropagateID, which stay empty here.
    """
    value = {
        "Label": GENERATED,
        "ContentProducer": f"FlashSight {__version__} / {run.manifest.model.called}"[:120],
        "ProduceID": run_id(run),
        "ReservedCode1": "",
        "ContentPropagator": "",
        "PropagateID": "",
        "ReservedCode2": "",
    }
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def write_label(run: Run) -> None:
    """Label a run's folder: its results as JSON lines and as CSV. Raises RunError where it cannot be written."""
    told = {FIELD: json.loads(label_of(run)), "label": EXPLICIT, "files": ["results.jsonl", "results.csv"]}
    write_whole(run.folder / LABEL_FILE, [json.dumps(told, ensure_ascii=False, indent=2) + "\n"])
