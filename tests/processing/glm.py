"""A small checkpoint folder of the GLM family without weights, made with `tokenizers` and nothing of ours."""

from __future__ import annotations

import json
from pathlib import Path

from tokenizers import AddedToken, Regex, Tokenizer
from tokenizers.decoders import ByteLevel as ByteLevelDecoder
from tokenizers.models import BPE
from tokenizers.pre_tokenizers import ByteLevel, Sequence, Split
from tokenizers.trainers import BpeTrainer

CORPUS = [
    "What is in this picture? Please describe it. A red cup stands on the wooden table.",
    "请描述这张图片的内容。按钮、价格、颜色、材质。用户遇到了什么问题？",
    '{"category": "cup", "color": "red", "key_features": ["light", "cheap"], "price": 12.5}',
    "assistant user system image think nothink <|image|> <think> </think> |> <|",
    "😀 héllo ñandú 你好世界 \t\n\n  spaces   and\r\nlines",
] * 4

# In the order of their ids; the flag is `special` of tokenizer.json.
ADDED = [
    *(("<|endoftext|>", True), ("[MASK]", True), ("[gMASK]", True), ("[sMASK]", True), ("<sop>", True)),
    *(("<eop>", True), ("<|system|>", True), ("<|user|>", True), ("<|assistant|>", True), ("<|observation|>", True)),
    *(("<|begin_of_image|>", True), ("<|end_of_image|>", True)),
    *(("<|begin_of_video|>", True), ("<|end_of_video|>", True)),
    *(("<think>", False), ("</think>", False), ("<tool_call>", False), ("</tool_call>", False)),
    *(("<tool_response>", False), ("</tool_response>", False), ("/nothink", True)),
    *(("<|begin_of_box|>", False), ("<|end_of_box|>", False), ("<|image|>", True), ("<|video|>", True)),
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

WORDS = r"(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+"


def write_files(folder: Path) -> Path:
    """Write tokenizer.json, preprocessor_config.json and config.json."""
    tokenizer = Tokenizer(BPE())
    tokenizer.pre_tokenizer = Sequence(
        [Split(Regex(WORDS), behavior="isolated"), ByteLevel(add_prefix_space=False, use_regex=False)]
    )
    tokenizer.decoder = ByteLevelDecoder()
    trainer = BpeTrainer(vocab_size=600, initial_alphabet=ByteLevel.alphabet(), show_progress=False)
    tokenizer.train_from_iterator(CORPUS, trainer)
    tokenizer.add_tokens([AddedToken(text, special=special, normalized=False) for text, special in ADDED])
    tokenizer.save(str(folder / "tokenizer.json"))
    size = tokenizer.get_vocab_size()
    (folder / "preprocessor_config.json").write_text(json.dumps(PREPROCESSOR))
    eos = [tokenizer.token_to_id(name) for name in ("<|endoftext|>", "<|user|>", "<|observation|>")]
    config = {"model_type": "glm4v", "text_config": {"vocab_size": size + 10, "eos_token_id": eos}}
    (folder / "config.json").write_text(json.dumps(config))
    return folder
