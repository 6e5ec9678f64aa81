from pathlib import Path

import torch

from flashsight.bench.peer import TransformersTarget, export_for_peer
from flashsight.bench.pictures import smooth_jpeg
from flashsight.core.config import ModelConfig
from flashsight.models.loading import load_model


async def test_the_peer_reads_our_weights_and_says_as_many_tokens_as_asked(
    tiny_checkpoint: Path, tmp_path: Path
) -> None:
    loaded = load_model(ModelConfig(path=str(tiny_checkpoint), device="cpu", dtype="float32"))
    export_for_peer(loaded, tmp_path / "peer")
    image = loaded.config.image_token_id

    def lay_out(picture: bytes, prompt: str) -> list[int]:
        return [5, *[image] * 16, 6, 7]

    peer = TransformersTarget(tmp_path / "peer", lay_out, dtype=torch.float32, device=torch.device("cpu"))
    answer = await peer.answer(smooth_jpeg(112, 1), "?", 4)
    assert (answer.prompt_tokens, answer.completion_tokens) == (19, 4)
    assert 0 < answer.first_seconds < answer.total_seconds
