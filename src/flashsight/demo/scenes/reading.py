"""Pages of text: lines, paragraphs and random characters, to be read aloud."""

from __future__ import annotations

import random

from flashsight.demo.material.opened import Material
from flashsight.demo.sample import LARGE, Sample, Split
from flashsight.demo.scenes.asking import MAX_READ, Facts, copied, listed, same
from flashsight.demo.scenes.canvas import Canvas, Type, luminance, pick_type
from flashsight.demo.scenes.paper import any_colour, backdrop, ink, paper
from flashsight.demo.vocabulary import Term

ASCII = "abcdefghijkmnopqrstuvwxyzABCDEFGHIJKLMNPQRSTUVWXYZ0123456789-._@"
ORDINALS = "一二三四五六七八九十"
LIMITS = (30, 90, 90, 300)  # characters on a page; the fullest ones are only asked line by line
MAX_LINES = 16


def random_text(rng: random.Random, material: Material, split: Split, length: int) -> str:
    """A line of strings, of random characters or of numbers, about `length` Chinese characters wide."""
    roll = rng.random()
    if rng.random() < 0.4:
        return _prose(rng, material, split, length)
    if roll < 0.35:
        chinese = [char for char in rng.choices(material.characters[120:], k=length) if "㐀" <= char <= "鿿"]
        return "".join(chinese)
    if roll < 0.6:
        return rng.choice(material.strings[split]).zh[:length]
    if roll < 0.78:
        return rng.choice(material.strings[split]).en[: length * 2].strip()
    if roll < 0.88:
        return "".join(
            rng.choices(
                "abcdefghijkmnopqrstuvwxyzABCDEFGHIJKLMNPQRSTUVWXYZ0123456789-._@", k=rng.randint(4, length + 4)
            )
        )
    if roll < 0.95:
        return (
            rng.choice(("¥", "$", "", "", "+", "-"))
            + f"{rng.randrange(10 ** rng.randint(1, 6)) / rng.choice((1, 1, 10, 100)):,}"
        )
    day = f"20{rng.randint(10, 30)}-{rng.randint(1, 12):02}-{rng.randint(1, 28):02}"
    return f"{day} {rng.randrange(24):02}:{rng.randrange(60):02}"


def _prose(rng: random.Random, material: Material, split: Split, length: int) -> str:
    """Words in a row with the marks of sentences between them, about `length` Chinese characters wide."""
    if rng.random() < 0.6:
        parts: list[str] = []
        while sum(map(len, parts)) < length:
            parts += (material.phrase(rng, split, "zh", rng.randint(1, 3)), rng.choice(("，", "", "", "、", "：", "")))
        return "".join(parts)[:length].rstrip("，、：") + rng.choice(("", "", "。", "！", "？"))
    text = material.phrase(rng, split, "en", max(1, round(length / 3.2)))
    if rng.random() < 0.2:
        text = text.title() if rng.random() < 0.6 else text.upper()
    return text + rng.choice(("", "", ".", "!", "?", ","))


def line_size(rng: random.Random, size: tuple[int, int]) -> int:
    """Pixels of a line of text: mostly 18 to 34, often down to 14, seldom up to 56; smaller in larger pictures."""
    if size[0] * size[1] > LARGE and rng.random() < 0.5:
        return rng.randint(14, 20)
    smallest, largest = rng.choice(((18, 26), (20, 34), (14, 19), (14, 19), (28, 56)))
    return rng.randint(smallest, largest)


class Reading:
    """Some lines of text on a ground, in one or two sizes and fonts."""

    name = "reading"

    def __init__(self, sizes: tuple[int, int] | None = None) -> None:
        """`sizes`: the smallest and the largest text in pixels; by default many sizes."""
        self._sizes = sizes

    def _size(self, rng: random.Random, size: tuple[int, int]) -> int:
        return rng.randint(*self._sizes) if self._sizes else line_size(rng, size)

    def draw(self, rng: random.Random, material: Material, size: tuple[int, int], split: Split) -> Sample:
        """Lines that hold at most one of LIMITS characters together."""
        ground = paper(rng, 0.25) if rng.random() < 0.85 else any_colour(rng)
        canvas = Canvas(material, size, ground)
        if 70 < luminance(ground) < 190:
            ground = rng.choice(((255, 255, 255), (20, 20, 26)))
            canvas.picture.paste(ground, (0, 0, canvas.width, canvas.height))
        elif rng.random() < 0.3:
            backdrop(rng, canvas, ground)
        lines = self._write(
            rng, canvas, material, split, pick_type(rng, material, split, self._size(rng, size)), ground
        )
        facts = Facts("read")
        text = "\n".join(lines)
        if len(text) <= MAX_READ:
            facts.read(text, weight=4)
            facts.add("describe", self._described(lines), weight=0.5)
        facts.add("what", Term("一段文字", "some text"), weight=0.4)
        facts.add("count_lines", listed([str(len(lines))]), weight=0.4)
        for number, line in enumerate(lines):
            if number < len(ORDINALS):
                facts.add(
                    "line",
                    same(line),
                    x=Term(rng.choice((ORDINALS[number], str(number + 1))), str(number + 1)),
                    weight=1.5,
                )
        facts.lack("buttons", "error", *(() if "¥" in text or "$" in text else ("price",)), weight=0.1)
        return Sample(self.name, (canvas.pixels(),), (canvas.labels(),), facts.pairs(rng, split))

    def _described(self, lines: list[str]) -> Term:
        said = " ".join(map(copied, lines))
        return Term(f"图中有{len(lines)}行文字：{said}", f"The picture shows {len(lines)} lines of text: {said}")

    def _write(
        self,
        rng: random.Random,
        canvas: Canvas,
        material: Material,
        split: Split,
        type: Type,
        ground: tuple[int, int, int],
    ) -> list[str]:
        lines: list[str] = []
        y, left = rng.uniform(4, 60), rng.uniform(6, 40)
        fill, is_centred = ink(rng, ground), rng.random() < 0.25
        pitch = rng.uniform(1.25, 2.2) if rng.random() < 0.65 else rng.uniform(2.0, 6.0)
        used, limit, is_ragged = 0, rng.choice(LIMITS), rng.random() < 0.15
        while y + type.size * 1.2 < canvas.height and len(lines) < MAX_LINES:
            text = random_text(rng, material, split, rng.randint(2, 16)).strip()
            parts = canvas.wrapped(text, type, canvas.width - left - 8)
            if (
                not parts
                or any(type.width(part) > canvas.width - left - 4 for part in parts)
                or used + len(text) > limit
            ):
                if used:
                    break
                continue
            part = parts[0]
            x = (canvas.width - type.width(part)) / 2 if is_centred else left
            if is_ragged:
                x = rng.uniform(left, canvas.width - type.width(part) - 4)
            canvas.text(x, y, part, type, fill)
            lines.append(part)
            used += len(part)
            y += type.size * pitch
            if rng.random() < 0.12 and limit < LIMITS[-1]:
                break
            if rng.random() < 0.1:
                type = pick_type(rng, material, split, self._size(rng, (canvas.height, canvas.width)))
        return lines
