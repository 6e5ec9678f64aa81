"""Prices as shops set them, and the small print around an offer that nobody asks about. Knows no question."""

from __future__ import annotations

import random
import re

from flashsight.demo.material.opened import Material
from flashsight.demo.sample import Language, Split
from flashsight.demo.scenes.canvas import Type

_PARTS = re.compile(r"([^\d]*)([\d,]+)(.*)")


def price_pieces(rng: random.Random, price: str, type_: Type) -> list[tuple[str, Type]]:
    """A price in one size, or its currency and what follows the whole number in a smaller one."""
    found = _PARTS.fullmatch(price)
    if found is None or rng.random() < 0.65:
        return [(price, type_)]
    small = type_.sized(max(16, type_.size * rng.uniform(0.55, 0.75)))
    sizes = (small, type_, rng.choice((small, type_)))
    return [(text, size) for text, size in zip(found.groups(), sizes, strict=True) if text]


def small_print(rng: random.Random, material: Material, split: Split, language: Language) -> str:
    """Sales, ratings, stock, shop names: numbers and words beside the offer that are not its price."""
    zh, count = language == "zh", rng.choice((rng.randint(2, 99), rng.randint(100, 9999)))
    rate, shop = f"{rng.uniform(3, 5):.1f}", rng.choice(("旗舰店", "专营店", "官方店"))
    said = (
        (f"月销{count}件", f"{count} sold"),
        (f"已售{count}+", f"{count}+ sold"),
        (f"评分 {rate}", f"Rating {rate}"),
        (f"{count}条评价", f"{count} reviews"),
        (f"库存{count}件", f"{count} in stock"),
        (f"满{count}减{rng.randint(1, 9) * 10}", f"Save {rng.randint(5, 60)}% today"),
        (f"编号 {rng.randrange(10**6):06}", f"No. {rng.randrange(10**6):06}"),
        (material.phrase(rng, split, "zh", 1) + shop, "by " + material.phrase(rng, split, "en", 1)),
    )  # fmt: skip
    return rng.choice(said)[0 if zh else 1]
