"""Nano's shape and the documents that lie beside its weights. Knows no tensor, no picture and no training step."""

from __future__ import annotations

from typing import Any

from tokenizers import Tokenizer

from flashsight.core.errors import CheckpointError

# Pictures that nano is trained on lie between these areas; its processor scales every other one into the range.
MIN_PIXELS = 336 * 448
MAX_PIXELS = 560 * 896

PATCH = 14
MERGE = 2

# Enough for two of the largest pictures, a question and a long answer.
CONTEXT_TOKENS = 4096

VISION: dict[str, Any] = {
    "depth": 8,
    "hidden_size": 384,
    "num_heads": 6,
    "intermediate_size": 1024,  # the merger's; the blocks' own is out_hidden_size, as in GLM
    "image_size": 448,
}
TEXT: dict[str, Any] = {
    "num_hidden_layers": 6,
    "hidden_size": 512,
    "intermediate_size": 1408,
    "num_attention_heads": 8,
    "num_key_value_heads": 2,
}

# Sixteen frequencies must tell 24 rows and columns apart as well as some hundred tokens: GLM's own base would leave the
# columns of a small picture without any difference.
ROPE_BASE = 100.0
ROPE_SECTIONS = [4, 6, 6]


def token_id(tokenizer: Tokenizer, text: str) -> int:
    """The id of one special token; CheckpointError when the tokenizer lacks it."""
    found = tokenizer.token_to_id(text)
    if found is None:
        raise CheckpointError(f"the tokenizer has no token {text!r}; build it with `flashsight demo tokenizer`")
    return int(found)


def model_config(
    tokenizer: Tokenizer, vision: dict[str, Any] | None = None, text: dict[str, Any] | None = None
) -> dict[str, Any]:
    """config.json of a checkpoint of nano's shape (Hugging Face layout, model_type glm4v)."""
    text, vision = text or TEXT, vision or VISION
    return {
        "architectures": ["Glm4vForConditionalGeneration"],
        "model_type": "glm4v",
        "dtype": "bfloat16",
        "tie_word_embeddings": False,
        "image_token_id": token_id(tokenizer, "<|image|>"),
        "video_token_id": token_id(tokenizer, "<|video|>"),
        "image_start_token_id": token_id(tokenizer, "<|begin_of_image|>"),
        "image_end_token_id": token_id(tokenizer, "<|end_of_image|>"),
        "video_start_token_id": token_id(tokenizer, "<|begin_of_video|>"),
        "video_end_token_id": token_id(tokenizer, "<|end_of_video|>"),
        "text_config": {
            "model_type": "glm4v_text",
            "dtype": "bfloat16",
            "vocab_size": tokenizer.get_vocab_size(),
            **text,
            "head_dim": text["hidden_size"] // text["num_attention_heads"],
            "hidden_act": "silu",
            "attention_bias": True,
            "attention_dropout": 0.0,
            "rms_norm_eps": 1e-5,
            "max_position_embeddings": CONTEXT_TOKENS,
            "rope_parameters": {
                "rope_type": "default",
                "rope_theta": ROPE_BASE,
                "partial_rotary_factor": 0.5,
                "mrope_section": ROPE_SECTIONS,
            },
            "eos_token_id": stop_ids(tokenizer),
            "pad_token_id": token_id(tokenizer, "<|endoftext|>"),
        },
        "vision_config": {
            "model_type": "glm4v_vision",
            **vision,
            "out_hidden_size": text["hidden_size"],
            "hidden_act": "silu",
            "attention_bias": False,
            "attention_dropout": 0.0,
            "in_channels": 3,
            "patch_size": PATCH,
            "temporal_patch_size": 2,
            "spatial_merge_size": MERGE,
            "rms_norm_eps": 1e-5,
        },
    }


def preprocessor_config() -> dict[str, Any]:
    """preprocessor_config.json: GLM's own but for the two areas, which count both frames of a still picture."""
    return {
        "size": {"shortest_edge": 2 * MIN_PIXELS, "longest_edge": 2 * MAX_PIXELS},
        "do_rescale": True,
        "patch_size": PATCH,
        "temporal_patch_size": 2,
        "merge_size": MERGE,
        "image_mean": [0.48145466, 0.4578275, 0.40821073],
        "image_std": [0.26862954, 0.26130258, 0.27577711],
        "image_processor_type": "Glm46VImageProcessor",
        "processor_class": "Glm46VProcessor",
    }


def generation_config(tokenizer: Tokenizer) -> dict[str, Any]:
    """generation_config.json: greedy, ended by GLM's three stop tokens."""
    return {
        "do_sample": False,
        "eos_token_id": stop_ids(tokenizer),
        "pad_token_id": token_id(tokenizer, "<|endoftext|>"),
    }


def tokenizer_config() -> dict[str, Any]:
    """tokenizer_config.json, so that AutoTokenizer reads tokenizer.json as it stands."""
    return {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "clean_up_tokenization_spaces": False,
        "eos_token": "<|endoftext|>",
        "pad_token": "<|endoftext|>",
        "model_max_length": CONTEXT_TOKENS,
        "padding_side": "left",
    }


def stop_ids(tokenizer: Tokenizer) -> list[int]:
    """Ids that end an answer: the end of the text, the user's turn, a tool's turn."""
    return [token_id(tokenizer, text) for text in ("<|endoftext|>", "<|user|>", "<|observation|>")]
