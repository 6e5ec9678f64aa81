"""Gives drawings and photographs other looks than the few sets have that they come from. Knows no scene.

What is drawn stays what it is; its colours are named anew.
"""

from __future__ import annotations

import random
from collections.abc import Callable

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageChops, ImageEnhance, ImageFilter, ImageOps

from flashsight.demo.colour_names import main_colours
from flashsight.demo.material.opened import Sprite

ROOM = 6  # pixels around a drawing for what is drawn beside its edge


def restyled(rng: random.Random, sprite: Sprite) -> Sprite:
    """The same thing drawn in another way."""
    return _made(sprite, _in_other_ways(rng, sprite, sprite.picture, num_ways=1))


def redrawn(rng: random.Random, sprite: Sprite) -> Sprite:
    """The same thing in other proportions, in other light and in up to two other ways, one upon the other.

    For training alone: a set of drawings that no one has seen differs in more than one thing from those that are known.
    """
    picture = sprite.picture
    if rng.random() < 0.6:
        picture = _reproportioned(rng, picture)
    picture = _in_other_ways(rng, sprite, picture, num_ways=rng.choice((0, 1, 1, 2)))
    if not sprite.is_shape and sprite.style != "photo" and rng.random() < 0.25:
        picture = _shaded(rng, picture)
    return _made(sprite, picture)


def _in_other_ways(rng: random.Random, sprite: Sprite, picture: Image.Image, num_ways: int) -> Image.Image:
    """A shape or a photograph in one way of its kind, a coloured drawing in as many as are asked for."""
    if sprite.is_shape:
        return rng.choice((_bolder, _thinner, _pixelled))(rng, picture)
    if sprite.style == "photo":
        return _photographed(rng, picture)
    for way in rng.sample(_ways(), num_ways):
        picture = way(rng, picture)
    return picture


def _ways() -> tuple[Callable[[random.Random, Image.Image], Image.Image], ...]:
    return (
        _grey, _turned_hue, _turned_hue, _outlined, _outlined, _flattened, _pixelled, _sheared, _sticker, _faded,
    )  # fmt: skip


def enlarged(picture: Image.Image, width: int, height: int, num_colours: int) -> Image.Image:
    """A drawing at a larger size with sharp edges, as if it had been drawn at that size, in few flat colours.

    Drawings are kept at about 112 pixels: stretched, all large ones would be blurred, and a sharp one never seen.
    """
    size, blur = (2 * width, 2 * height), ImageFilter.GaussianBlur(0.9)  # twice, so that edges are soft afterwards
    few = picture.convert("RGB").quantize(num_colours, Image.Quantize.MEDIANCUT, dither=Image.Dither.NONE)
    numbers, is_seen = np.asarray(few), np.asarray(picture.getchannel("A")) > 127
    colours = [number for number in range(num_colours) if (is_seen & (numbers == number)).any()]
    masks = (Image.fromarray(np.where(numbers == number, 255, 0).astype(np.uint8)) for number in colours)
    layers = [np.asarray(mask.filter(blur).resize(size, Image.Resampling.BICUBIC)) for mask in masks]
    palette = np.asarray(few.getpalette("RGB"), np.uint8).reshape(-1, 3)
    flat = Image.fromarray(palette[colours][np.argmax(layers, axis=0)])
    alpha = picture.getchannel("A").resize(size, Image.Resampling.BICUBIC).point(lambda v: 255 if v > 127 else 0)
    return _with_alpha(flat, alpha).resize((width, height), Image.Resampling.BOX)


def _made(sprite: Sprite, picture: Image.Image) -> Sprite:
    colours = () if sprite.is_shape else main_colours(picture)
    # A photograph in other light is still one of the same.
    feature = sprite.feature if sprite.style == "photo" else None
    return Sprite(sprite.concept, sprite.style, picture, colours, feature)


def _with_alpha(picture: Image.Image, alpha: Image.Image) -> Image.Image:
    coloured = picture.convert("RGB")
    coloured.putalpha(alpha)
    return coloured


def _grey(rng: random.Random, picture: Image.Image) -> Image.Image:
    return _with_alpha(picture.convert("L"), picture.getchannel("A"))


def _turned_hue(rng: random.Random, picture: Image.Image) -> Image.Image:
    hue, saturation, value = picture.convert("RGB").convert("HSV").split()
    shift = rng.randint(20, 235)
    turned = Image.merge("HSV", (hue.point(lambda h: (h + shift) % 256), saturation, value))
    return _with_alpha(turned, picture.getchannel("A"))


def _outlined(rng: random.Random, picture: Image.Image) -> Image.Image:
    """Lines where colours meet and along the edge, on white or on nothing."""
    wide = ImageOps.expand(picture, ROOM)
    alpha, white = wide.getchannel("A"), Image.new("RGBA", wide.size, "white")
    grey = Image.alpha_composite(white, wide).convert("L").filter(ImageFilter.GaussianBlur(0.8))
    size = rng.choice((3, 3, 5))
    steps = ImageChops.subtract(grey.filter(ImageFilter.MaxFilter(size)), grey.filter(ImageFilter.MinFilter(size)))
    rim = ImageChops.subtract(alpha.filter(ImageFilter.MaxFilter(size)), alpha.filter(ImageFilter.MinFilter(size)))
    strength = ImageChops.lighter(steps.point(lambda v: min(255, max(0, v - 14) * 5)), rim)
    ink = Image.new("RGB", wide.size, rng.choice(((0, 0, 0), (0, 0, 0), (40, 44, 60), (90, 50, 20), (30, 60, 140))))
    if rng.random() < 0.5:
        ink.putalpha(strength)
        return ink
    drawn = Image.composite(ink, Image.new("RGB", wide.size, "white"), strength)
    return _with_alpha(drawn, ImageChops.lighter(alpha, strength))


def _flattened(rng: random.Random, picture: Image.Image) -> Image.Image:
    """Few shades of each colour."""
    smooth = picture.convert("RGB").filter(ImageFilter.MedianFilter(5))
    return _with_alpha(ImageOps.posterize(smooth, rng.choice((2, 2, 3))), picture.getchannel("A"))


def _pixelled(rng: random.Random, picture: Image.Image) -> Image.Image:
    """As small icons look when they are made larger."""
    share = rng.uniform(0.25, 0.5)
    small = (max(16, round(picture.width * share)), max(16, round(picture.height * share)))
    back = rng.choice((Image.Resampling.NEAREST, Image.Resampling.BILINEAR))
    return picture.resize(small, Image.Resampling.BOX).resize(picture.size, back)


def _sheared(rng: random.Random, picture: Image.Image) -> Image.Image:
    """Seen a little from the side."""
    lean = rng.uniform(-0.22, 0.22)
    width = picture.width + round(abs(lean) * picture.height)
    offset = -lean * picture.height if lean < 0 else 0.0
    turned = picture.transform(
        (width, picture.height), Image.Transform.AFFINE, (1, -lean, -offset if lean < 0 else 0.0, 0, 1, 0),
        Image.Resampling.BILINEAR,
    )  # fmt: skip
    box = turned.getbbox()
    return turned.crop(box) if box else picture


def _reproportioned(rng: random.Random, picture: Image.Image) -> Image.Image:
    """Some parts wider or taller than others, as another hand would have them; on the whole as large as before."""

    def places(length: int) -> NDArray[np.int64]:
        sizes = np.asarray([rng.uniform(0.65, 1.5) for _ in range(rng.randint(2, 4))])
        knots = np.concatenate([[0.0], sizes.cumsum() / sizes.sum()])
        middles = (np.arange(length) + 0.5) / length
        return (np.interp(middles, knots, np.linspace(0, 1, len(knots))) * length).astype(np.int64).clip(0, length - 1)

    large = picture.resize((2 * picture.width, 2 * picture.height), Image.Resampling.BILINEAR)
    pixels = np.asarray(large)[np.ix_(places(large.height), places(large.width))]
    return Image.fromarray(pixels).resize(picture.size, Image.Resampling.BOX)


def _shaded(rng: random.Random, picture: Image.Image) -> Image.Image:
    """Lit from one side, as solid things are drawn."""
    y, x = np.mgrid[0 : 1 : picture.height * 1j, 0 : 1 : picture.width * 1j]
    far = np.hypot(x - rng.uniform(0, 1), y - rng.uniform(0, 0.6))
    light = rng.uniform(1.1, 1.5) - rng.uniform(0.3, 0.9) * far
    lit = (np.asarray(picture.convert("RGB")) * light[..., None]).clip(0, 255).astype(np.uint8)
    return _with_alpha(Image.fromarray(lit), picture.getchannel("A"))


def _sticker(rng: random.Random, picture: Image.Image) -> Image.Image:
    """A white or dark rim around the drawing, now and then with a shadow."""
    wide = ImageOps.expand(picture, ROOM)
    grown = wide.getchannel("A").filter(ImageFilter.MaxFilter(rng.choice((5, 7, 9))))
    rim = Image.new("RGBA", wide.size, rng.choice(("white", "white", (30, 30, 34, 255))))
    rim.putalpha(grown)
    if rng.random() < 0.5:
        shade = Image.new("RGBA", wide.size, (0, 0, 0, 255))
        shade.putalpha(ImageChops.offset(grown, 3, 3).filter(ImageFilter.GaussianBlur(2)).point(lambda v: v // 2))
        rim = Image.alpha_composite(shade, rim)
    return Image.alpha_composite(rim, wide)


def _faded(rng: random.Random, picture: Image.Image) -> Image.Image:
    """Paler or stronger colours."""
    coloured = ImageEnhance.Color(picture.convert("RGB")).enhance(rng.choice((0.35, 0.5, 1.6)))
    return _with_alpha(ImageEnhance.Brightness(coloured).enhance(rng.uniform(0.8, 1.25)), picture.getchannel("A"))


def _bolder(rng: random.Random, picture: Image.Image) -> Image.Image:
    """Thicker lines: what is inked grows."""
    wide = ImageOps.expand(picture, ROOM // 2)
    return _with_alpha(
        wide.convert("RGB").filter(ImageFilter.MinFilter(3)), wide.getchannel("A").filter(ImageFilter.MaxFilter(3))
    )


def _thinner(rng: random.Random, picture: Image.Image) -> Image.Image:
    """Thinner lines, unless nothing would be left of them."""
    alpha = picture.getchannel("A")
    thin = alpha.filter(ImageFilter.MinFilter(3))
    if np.asarray(thin).sum() < 0.4 * np.asarray(alpha).sum():
        return picture
    return _with_alpha(picture.convert("RGB"), thin)


def _photographed(rng: random.Random, picture: Image.Image) -> Image.Image:
    """A photograph in other light, turned, and of another distance."""
    coloured = ImageEnhance.Color(picture.convert("RGB")).enhance(rng.uniform(0.6, 1.4))
    coloured = ImageEnhance.Brightness(coloured).enhance(rng.uniform(0.7, 1.3))
    coloured = ImageEnhance.Contrast(coloured).enhance(rng.uniform(0.75, 1.3))
    lit = _with_alpha(coloured, picture.getchannel("A"))
    if rng.random() < 0.5:
        lit = lit.rotate(rng.uniform(-35, 35), Image.Resampling.BILINEAR, expand=True)
    if rng.random() < 0.25:
        small = (max(24, lit.width // 3), max(24, lit.height // 3))
        lit = lit.resize(small, Image.Resampling.BOX).resize(lit.size, Image.Resampling.BILINEAR)
    if rng.random() < 0.3:
        side = rng.uniform(0.7, 0.95)
        width, height = round(lit.width * side), round(lit.height * side)
        left, top = rng.randint(0, lit.width - width), rng.randint(0, lit.height - height)
        lit = lit.crop((left, top, left + width, top + height))
    box = lit.getbbox()
    return lit.crop(box) if box else picture
