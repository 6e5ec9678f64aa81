from pathlib import Path

import pytest

from flashsight.bench.peer import export_for_peer, transformers_target
from flashsight.bench.pictures import smooth_jpeg
from flashsight.core.config import ModelConfig
from flashsight.core.errors import ConfigError
from flashsight.models.loading import load_model


async def test_the_peer_reads_our_weights_and_says_as_many_tokens_as_asked(
    tiny_checkpoint: Path, tmp_path: Path
) -> None:
    loaded = load_model(ModelConfig(path=str(tiny_checkpoint), device="cpu", dtype="float32"))
    export_for_peer(loaded, tmp_path / "peer")
    image = loaded.config.image_token_id

    def lay_out(picture: bytes, prompt: str) -> list[int]:
        return [5, *[image] * 16, 6, 7]

    async with transformers_target(tmp_path / "peer", lay_out, dtype="float32", device="cpu") as peer:
        answers = [await peer.answer(smooth_jpeg(112, 1), "?", num_tokens) for num_tokens in (4, 2)]
    assert [(answer.prompt_tokens, answer.completion_tokens) for answer in answers] == [(19, 4), (19, 2)]
    assert all(0 < answer.first_seconds < answer.total_seconds for answer in answers)


async def test_a_peer_that_cannot_read_its_weights_is_told(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match="the peer has ended"):
        async with transformers_target(tmp_path, lambda picture, prompt: [], dtype="float32", device="cpu"):
            pass
