"""What nano can name: concepts with their drawings, colours, materials and categories, in Chinese and English.

Read once from `concepts.txt` beside it. Knows no picture and no sentence.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from importlib import resources

from flashsight.demo.sample import Language


@dataclass(frozen=True, slots=True)
class Term:
    """A word in both languages."""

    zh: str
    en: str

    def __getitem__(self, language: Language) -> str:
        return self.zh if language == "zh" else self.en


@dataclass(frozen=True, slots=True)
class Concept:
    """A thing that nano names: its word and category, its emoji and its line drawing where it has them."""

    index: int
    name: Term
    category: Term
    emoji: str | None
    line: str | None


@dataclass(frozen=True, slots=True)
class Colour:
    """A colour word and the red, green and blue around which it is drawn, 0 to 255."""

    name: Term
    rgb: tuple[int, int, int]


COLOURS: tuple[Colour, ...] = (
    Colour(Term("红色", "red"), (214, 40, 42)),
    Colour(Term("橙色", "orange"), (245, 134, 28)),
    Colour(Term("黄色", "yellow"), (248, 210, 48)),
    Colour(Term("绿色", "green"), (56, 158, 68)),
    Colour(Term("青色", "cyan"), (44, 186, 196)),
    Colour(Term("蓝色", "blue"), (40, 98, 214)),
    Colour(Term("紫色", "purple"), (132, 66, 186)),
    Colour(Term("粉色", "pink"), (244, 144, 178)),
    Colour(Term("棕色", "brown"), (126, 80, 46)),
    Colour(Term("黑色", "black"), (34, 34, 38)),
    Colour(Term("白色", "white"), (246, 246, 244)),
    Colour(Term("灰色", "gray"), (142, 144, 148)),
    Colour(Term("米色", "beige"), (226, 206, 172)),
)

_SOFT = "棉|cotton 亚麻|linen 羊毛|wool 真丝|silk 涤纶|polyester 牛仔布|denim 羊绒|cashmere 尼龙|nylon"
_BAG = "牛皮|cowhide 皮革|leather 帆布|canvas 尼龙|nylon 牛津布|oxford cloth 人造革|faux leather"
_HARD = "塑料|plastic 铝合金|aluminium alloy 不锈钢|stainless steel 碳纤维|carbon fibre 玻璃|glass"
_HOME = "实木|solid wood 布艺|fabric 皮革|leather 竹|bamboo 藤编|rattan 金属|metal 陶瓷|ceramic 玻璃|glass 塑料|plastic"
_POT = "不锈钢|stainless steel 陶瓷|ceramic 铸铁|cast iron 玻璃|glass 竹|bamboo 硅胶|silicone 骨瓷|bone china"
_TOY = "毛绒|plush 塑料|plastic 实木|solid wood 橡胶|rubber 硅胶|silicone 纸|paper"
_JEWEL = "纯银|sterling silver 黄金|gold 钛合金|titanium 不锈钢|stainless steel 亚克力|acrylic 皮革|leather"
_TOOL = "碳钢|carbon steel 铸铁|cast iron 不锈钢|stainless steel 橡胶|rubber 铝合金|aluminium alloy 塑料|plastic"


def _terms(text: str) -> tuple[Term, ...]:
    pairs = re.findall(r"([^\s|]+)\|([A-Za-z ]+?)(?= [^\x00-\x7f]|$)", text)
    return tuple(Term(zh, en) for zh, en in pairs)


MATERIALS_BY_CATEGORY: dict[str, tuple[Term, ...]] = {
    "服饰": _terms(_SOFT),
    "鞋靴": _terms(_BAG + " 橡胶|rubber"),
    "箱包": _terms(_BAG),
    "配饰": _terms(_JEWEL),
    "电子数码": _terms(_HARD),
    "家电": _terms(_HARD),
    "家居": _terms(_HOME),
    "厨具": _terms(_POT),
    "文具": _terms(_TOY + " 金属|metal"),
    "工具": _terms(_TOOL),
    "乐器": _terms("实木|solid wood 黄铜|brass 碳纤维|carbon fibre 塑料|plastic"),
    "体育用品": _terms("橡胶|rubber 皮革|leather 碳纤维|carbon fibre 铝合金|aluminium alloy 尼龙|nylon"),
    "玩具": _terms(_TOY),
}
"""What a product of each category may be made of; a category that is missing is not sold by material."""

GOODS = frozenset({*MATERIALS_BY_CATEGORY, "美妆", "水果", "蔬菜", "食品", "饮品"})
"""Chinese names of the categories that product cards sell."""


def _entries(line: str) -> Iterator[tuple[str | None, str, str, str | None]]:
    """(emoji, zh, en, name of the line drawing) of each entry of a line."""
    for entry in re.split(r" (?=@[a-z-]+[^\x00-\x7f]|[^\x00-\x7f])", line.strip()):
        zh, en, *line_name = entry.split("|")
        found = re.fullmatch(r"(?P<line>@[a-z-]+)?(?P<emoji>[^㐀-鿿A-Za-z]*)(?P<zh>.+)", zh)
        if found is None:
            raise ValueError(f"concepts.txt: cannot read {entry!r}")
        drawn = (line_name or [found["line"]])[0]
        yield found["emoji"] or None, found["zh"], en, drawn.removeprefix("@") if drawn else None


def _read() -> tuple[tuple[Concept, ...], dict[str, tuple[str, ...]]]:
    concepts: list[Concept] = []
    unnamed: dict[str, tuple[str, ...]] = {}
    category, split = Term("", ""), None
    for line in resources.files(__package__).joinpath("concepts.txt").read_text(encoding="utf-8").splitlines():
        if line.startswith("# "):
            category = Term(*line[2:].split("|"))
        elif line.startswith("? "):
            split = line[2:]
        elif split:
            unnamed[split] = tuple(re.findall(r"[^\ufe0f]\ufe0f?", line))
        elif line:
            for emoji, zh, en, drawn in _entries(line):
                concepts.append(Concept(len(concepts), Term(zh, en), category, emoji, drawn))
    return tuple(concepts), unnamed


CONCEPTS, UNNAMED = _read()
"""The concepts in their lasting order, and emoji that stay without a name, by split."""

CATEGORIES: tuple[Term, ...] = tuple(dict.fromkeys(concept.category for concept in CONCEPTS))
MATERIALS: tuple[Term, ...] = tuple(dict.fromkeys(term for terms in MATERIALS_BY_CATEGORY.values() for term in terms))
