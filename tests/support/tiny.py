"""A tiny random glm4v checkpoint as `transformers` itself saves it, with a tokenizer made by `tokenizers`.

Nothing of flashsight is used to make it, so it can stand as an oracle. Its answers depend on text and pictures.
"""

from __future__ import annotations

import json
import warnings
from pathlib import Path
from typing import Any

import pytest
import torch
from tokenizers import AddedToken, Regex, Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel, Sequence, Split
from tokenizers.trainers import BpeTrainer

CORPUS = [
    "What is in this picture? Please describe it. A red cup stands on the wooden table.",
    "请描述这张图片的内容。按钮、价格、颜色、材质。用户遇到了什么问题？",
    '{"category": "cup", "color": "red", "key_features": ["light", "cheap"], "price": 12.5}',
    "assistant user system image think nothink the quick brown fox, 2026-11-23, ¥199.00",
    "😀 héllo ñandú 你好世界 \t\n\n  spaces   and\r\nlines",
] * 4

WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+"

# GLM's added tokens in the order of their ids; True: `special` in tokenizer.json.
ADDED_TOKENS = [
    *((text, True) for text in ("<|endoftext|>", "[MASK]", "[gMASK]", "[sMASK]", "<sop>", "<eop>")),
    *((text, True) for text in ("<|system|>", "<|user|>", "<|assistant|>", "<|observation|>")),
    *((text, True) for text in ("<|begin_of_image|>", "<|end_of_image|>", "<|begin_of_video|>", "<|end_of_video|>")),
    *((text, True) for text in ("<|begin_of_audio|>", "<|end_of_audio|>")),
    *((text, True) for text in ("<|begin_of_transcription|>", "<|end_of_transcription|>")),
    *((text, True) for text in ("<|code_prefix|>", "<|code_middle|>", "<|code_suffix|>")),
    *((text, False) for text in ("<think>", "</think>", "<tool_call>", "</tool_call>")),
    *((text, False) for text in ("<tool_response>", "</tool_response>")),
    *((text, False) for text in ("<arg_key>", "</arg_key>", "<arg_value>", "</arg_value>")),
    ("/nothink", True),
    *((text, False) for text in ("<|begin_of_box|>", "<|end_of_box|>")),
    *((text, True) for text in ("<|image|>", "<|video|>")),
]

PREPROCESSOR = {
    "size": {"shortest_edge": 12544, "longest_edge": 9633792},
    "do_rescale": True,
    "patch_size": 14,
    "temporal_patch_size": 2,
    "merge_size": 2,
    "image_mean": [0.48145466, 0.4578275, 0.40821073],
    "image_std": [0.26862954, 0.26130258, 0.27577711],
    "image_processor_type": "Glm46VImageProcessor",
    "processor_class": "Glm46VProcessor",
}


def write_tokenizer(folder: Path) -> Tokenizer:
    """Write tokenizer.json and tokenizer_config.json of a byte-level BPE with GLM's added tokens."""
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = Sequence(
        [Split(Regex(WORDS), behavior="isolated"), ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = ByteLevelDecoder()
    trainer = BpeTrainer(vocab_size=600, initial_alphabet=ByteLevel.alphabet(), show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.add_tokens([AddedToken(text, special=special, normalized=False) for text, special in ADDED_TOKENS])
    tokenizer.save(str(folder / "tokenizer.json"))
    words = {"tokenizer_class": "PreTrainedTokenizerFast", "eos_token": "<|endoftext|>", "pad_token": "<|endoftext|>"}
    (folder / "tokenizer_config.json").write_text(json.dumps(words))
    return tokenizer


def tiny_config(tokenizer: Tokenizer, *, is_tied: bool = False) -> Any:
    """Return a transformers Glm4vConfig with every dimension different from every other where the class allows it."""
    from transformers import Glm4vConfig

    def token(text: str) -> int:
        number = tokenizer.token_to_id(text)
        assert number is not None, text
        return int(number)

    eos = [token("<|endoftext|>"), token("<|user|>"), token("<|observation|>")]
    text = {
        "hidden_size": 64,
        "num_hidden_layers": 3,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "intermediate_size": 112,
        "vocab_size": tokenizer.get_vocab_size() + 4,
        "max_position_embeddings": 4096,
        "rope_parameters": {
            "rope_type": "default",
            "rope_theta": 500.0,
            "partial_rotary_factor": 0.5,
            "mrope_section": [1, 1, 2],
        },
        "eos_token_id": eos,
        "pad_token_id": eos[0],
    }
    vision = {
        "hidden_size": 48,
        "depth": 2,
        "num_heads": 3,
        "out_hidden_size": 64,
        "intermediate_size": 80,
        "image_size": 84,
    }
    return Glm4vConfig(
        text_config=text,
        vision_config=vision,
        image_token_id=token("<|image|>"),
        video_token_id=token("<|video|>"),
        image_start_token_id=token("<|begin_of_image|>"),
        image_end_token_id=token("<|end_of_image|>"),
        video_start_token_id=token("<|begin_of_video|>"),
        video_end_token_id=token("<|end_of_video|>"),
        tie_word_embeddings=is_tied,
    )


def randomise(model: torch.nn.Module, seed: int) -> None:
    """Give weights under which answers depend on their input; transformers' own start decodes to one token."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            noise = torch.randn(parameter.shape, generator=generator)
            if parameter.dim() == 1:
                parameter.copy_((0.0 if name.endswith("bias") else 1.0) + 0.1 * noise)
            elif "embed_tokens" in name:
                parameter.copy_(noise)
            elif "lm_head" in name:
                parameter.copy_(0.3 * noise)
            elif "position_embedding" in name:
                parameter.copy_(0.2 * noise)
            else:
                parameter.copy_(noise * parameter[0].numel() ** -0.5)


def write_tiny_checkpoint(
    folder: Path,
    *,
    seed: int = 0,
    is_tied: bool = False,
    dtype: torch.dtype = torch.float32,
    max_shard_size: str = "5GB",
) -> Path:
    """Write a whole checkpoint folder and return it."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from transformers import GenerationConfig, Glm4vForConditionalGeneration

        folder.mkdir(parents=True, exist_ok=True)
        tokenizer = write_tokenizer(folder)
        config = tiny_config(tokenizer, is_tied=is_tied)
        model = Glm4vForConditionalGeneration(config)
        randomise(model, seed)
        eos = config.text_config.eos_token_id
        model.generation_config = GenerationConfig(eos_token_id=eos, pad_token_id=eos[0], do_sample=False)
        model.to(dtype).save_pretrained(folder, max_shard_size=max_shard_size)
    (folder / "preprocessor_config.json").write_text(json.dumps(PREPROCESSOR))
    return folder


def load_reference(folder: Path) -> Any:
    """Return the checkpoint as transformers reads it, in float32 and inference mode."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from transformers import Glm4vForConditionalGeneration

        return Glm4vForConditionalGeneration.from_pretrained(folder, dtype=torch.float32).eval()


@pytest.fixture(scope="session")
def tiny_checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with config, weights, tokenizer and preprocessor settings; never write into it."""
    return write_tiny_checkpoint(tmp_path_factory.mktemp("tiny-glm4v"))


@pytest.fixture(scope="session")
def tiny_reference(tiny_checkpoint: Path) -> Any:
    """The tiny checkpoint in transformers: the oracle."""
    return load_reference(tiny_checkpoint)
