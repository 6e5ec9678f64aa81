"""What a start on a CPU leaves out: torch's compiler alone is 140 MB and seconds of importing."""

from __future__ import annotations

import subprocess
import sys

START = """
import sys
from flashsight.core.config import Config, ModelConfig
from flashsight.launcher.build import build_local

parts = build_local(Config(model=ModelConfig(path="nano", device="cpu")))
parts.engine.stop()
heavy = {"transformers", "triton", "pandas", "sympy", "torchvision"}
print(*sorted({name.split(".")[0] for name in sys.modules} & heavy))
print(*(name for name in ("torch._dynamo", "torch._inductor") if name in sys.modules))
"""


def test_a_start_on_a_cpu_imports_neither_a_compiler_nor_transformers() -> None:
    told = subprocess.run([sys.executable, "-c", START], capture_output=True, text=True, check=True)
    assert told.stdout.split() == []
