from __future__ import annotations

import json
from pathlib import Path

import pytest

from flashsight.processing.resize import PictureSettings
from flashsight.processing.tokenizer import Tokenizer
from tests.support.tiny import PREPROCESSOR, write_tokenizer


@pytest.fixture(scope="session")
def glm_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint's folder without weights; the model has ten rows more than the tokenizer has tokens."""
    folder = tmp_path_factory.mktemp("glm")
    tokenizer = write_tokenizer(folder)
    (folder / "preprocessor_config.json").write_text(json.dumps(PREPROCESSOR))
    eos = [tokenizer.token_to_id(name) for name in ("<|endoftext|>", "<|user|>", "<|observation|>")]
    config = {"text_config": {"vocab_size": tokenizer.get_vocab_size() + 10, "eos_token_id": eos}}
    (folder / "config.json").write_text(json.dumps(config))
    return folder


@pytest.fixture(scope="session")
def tokenizer(glm_files: Path) -> Tokenizer:
    return Tokenizer(glm_files)


@pytest.fixture(scope="session")
def settings(glm_files: Path) -> PictureSettings:
    return PictureSettings.load(glm_files)
