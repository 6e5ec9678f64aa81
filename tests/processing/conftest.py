from __future__ import annotations

from pathlib import Path

import pytest

from flashsight.processing.resize import PictureSettings
from flashsight.processing.tokenizer import Tokenizer

from .glm import write_files


@pytest.fixture(scope="session")
def glm_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_files(tmp_path_factory.mktemp("glm"))


@pytest.fixture(scope="session")
def tokenizer(glm_files: Path) -> Tokenizer:
    return Tokenizer(glm_files)


@pytest.fixture(scope="session")
def settings(glm_files: Path) -> PictureSettings:
    return PictureSettings.load(glm_files)
