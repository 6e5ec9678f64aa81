"""Icon sets whose drawings are found by English names: which name shows which concept. Knows no picture format."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from types import MappingProxyType

from flashsight.demo.sample import Split
from flashsight.demo.vocabulary import Concept


@dataclass(frozen=True, slots=True)
class IconSet:
    """An icon set of Iconify's: (style, suffix of a name) of each of its forms; names that mean something else.

    num_unnamed: how many of its drawings stand for what nano has no name for.
    """

    package: str
    split: Split
    forms: tuple[tuple[str, str], ...]
    others: frozenset[str] = frozenset()
    joins: str = "-"
    num_unnamed: int = 0


SETS: tuple[IconSet, ...] = (
    IconSet("tabler", "train", (("line", ""), ("solid", "-filled")), frozenset({"school"}), num_unnamed=140),
    IconSet("lucide", "train", (("line", ""),), frozenset({"radio", "bolt", "delete"}), num_unnamed=140),
    IconSet("ph", "train", (("line", ""), ("line", "-bold"), ("solid", "-fill")), num_unnamed=140),
    IconSet("mdi", "train", (("solid", ""), ("line", "-outline")), frozenset({"apple", "bolt", "school"})),
    IconSet("fxemoji", "train", (("fxemoji", ""),), frozenset({"turkey", "necktie", "bolt", "bug", "bird"}), joins=""),
    IconSet("streamline-emojis", "train", (("streamline-emojis", ""),), frozenset({"boar", "bird"})),
    IconSet("bi", "valid", (("line", ""), ("solid", "-fill")), frozenset({"apple"}), num_unnamed=60),
)

# English names that icon sets use for something else than the demo's concept does.
MISLEADING = frozenset(
    {
        "mouse",
        "phone",
        "shirt",
        "ribbon",
        "bolt",
        "tennis",
        "orange",
        "tower",
        "nature",
        "more",
        "time",
        "code",
        "list",
        "label",
        "CD",
        "salt",
        "pie",
        "bat",
        "ring",
        "drum",
        "pear",
        "speaker",
        "chicken",
        "fist",
        "face",
        "cup",
        "blouse",
        "coat",
        "SUV",
        "earth",
        "movie",
    }
)

# Further names by which icon sets know a concept.
SYNONYMS: Mapping[str, tuple[str, ...]] = MappingProxyType(
    {
        "house": ("home", "house-simple", "house-2"),
        "gear": ("settings", "cog", "gear-six"),
        "magnifying glass": ("search", "magnify", "magnifying-glass"),
        "trash can": ("trash", "trash-2", "delete"),
        "envelope": ("mail", "email", "envelope-simple"),
        "light bulb": ("bulb", "lightbulb"),
        "phone": ("device-mobile", "smartphone", "cellphone"),
        "location": ("map-pin", "map-marker", "geo-alt"),
        "comment": ("message", "chat", "message-circle", "chat-circle", "message-square"),
        "user": ("user", "account", "person"),
        "edit": ("edit", "pencil-line", "square-pen", "note-pencil"),
        "time": ("clock", "clock-outline"),
        "lightning": ("bolt", "zap", "flash", "lightning"),
        "shopping cart": ("shopping-cart", "cart"),
        "gift box": ("gift", "gift-outline"),
        "check mark": ("check", "check-lg"),
        "cross mark": ("x", "close", "x-lg"),
        "plus sign": ("plus", "plus-lg"),
        "minus sign": ("minus", "dash-lg"),
        "hide": ("eye-off", "eye-slash"),
        "picture": ("photo", "image"),
        "shop": ("building-store", "store", "storefront", "shop"),
        "QR code": ("qrcode", "qr-code"),
        "mute": ("volume-off", "volume-x", "volume-mute", "speaker-slash"),
        "musical note": ("music", "music-note", "music-notes"),
        "bank card": ("credit-card",),
        "car": ("car", "car-front"),
        "airplane": ("plane", "airplane"),
        "sun": ("sun", "weather-sunny"),
        "moon": ("moon", "moon-stars"),
        "rain": ("cloud-rain", "weather-rainy"),
        "snowflake": ("snowflake", "snow"),
        "water drop": ("droplet", "drop", "water"),
        "fire": ("flame", "fire"),
        "T-shirt": ("shirt", "t-shirt", "tshirt-crew"),
        "computer mouse": ("mouse", "computer-mouse"),
        "television": ("device-tv", "tv", "television-simple"),
        "alarm clock": ("alarm", "alarm-clock"),
        "scissors": ("scissors", "content-cut"),
        "books": ("books", "book-multiple", "library"),
        "open book": ("book-open", "book-open-variant"),
        "paperclip": ("paperclip", "attachment"),
        "loudspeaker": ("speakerphone", "megaphone", "bullhorn"),
        "exclamation mark": ("exclamation-mark", "exclamation-thick", "exclamation-lg"),
        "question mark": ("question-mark", "help", "question", "question-lg"),
        "warning": ("alert-triangle", "triangle-alert", "warning", "alert", "exclamation-triangle"),
        "information": ("info-circle", "info", "information"),
        "prohibited": ("ban", "prohibit", "cancel", "slash-circle"),
        "log out": ("logout", "log-out", "sign-out", "box-arrow-right"),
        "log in": ("login", "log-in", "sign-in", "box-arrow-in-right"),
        "full screen": ("maximize", "fullscreen", "corners-out"),
        "zoom in": ("zoom-in", "magnify-plus", "magnifying-glass-plus"),
        "zoom out": ("zoom-out", "magnify-minus", "magnifying-glass-minus"),
        "pie chart": ("chart-pie", "pie-chart"),
        "line chart": ("chart-line", "graph-up"),
        "bar chart": ("chart-bar", "bar-chart"),
        "paw prints": ("paw", "paw-print"),
        "thumbs up": ("thumb-up", "thumbs-up", "hand-thumbs-up"),
        "thumbs down": ("thumb-down", "thumbs-down", "hand-thumbs-down"),
    }
)


def names_of(concept: Concept, icons: IconSet) -> Iterator[tuple[str, str]]:
    """(style, name) of what may show a concept in an icon set; most sets have few of them."""
    english = concept.name.en
    slug = english.lower().replace(" ", icons.joins).replace("'", "")
    own = () if english in MISLEADING and icons.joins else (slug,)
    for name in dict.fromkeys((*own, *SYNONYMS.get(english, ()))):
        if name not in icons.others:
            for style, suffix in icons.forms:
                yield style, name + suffix


# Parts of names that stand for a sign, a letter, a trade mark, a variant, or by another word for what nano can name.
FORMS = """
    off filled fill outline bold light thin duotone circle square arrow letter number brand logo align layout hexagon
    badge round simple alt box text sign math check dashed dotted border star heart up down left right zodiac currency
    alphabetical numeric emoticon emoji smiley face mood user account file folder filetype btn receipt coin mic couch
    tag barbell boat racquet brush bath bullseye gas fuel globe world cash moneybag dot ellipsis speech clock cog repeat
    sync rotate reload step skip player spinner film browser youtube trello messenger spotify amd quora wechat
    opencollective xbox http json git windows apple google microsoft twitter reddit figma framer slack
"""


def unnamed_of(names: Iterable[str], concepts: Iterable[Concept], count: int) -> list[str]:
    """`count` names of an icon set, by hash, that share no word with any concept or synonym: what nano cannot name."""
    known = {word.rstrip("s") for word in FORMS.split()}
    for concept in concepts:
        for text in (concept.name.en, concept.category.en, concept.line or "", *SYNONYMS.get(concept.name.en, ())):
            known.update(word.rstrip("s") for word in re.split("[ -]", text.lower()))
    found = [
        name
        for name in names
        if name.isascii() and not re.search(r"\d", name) and not known & {word.rstrip("s") for word in name.split("-")}
    ]
    return sorted(found, key=lambda name: hashlib.sha256(name.encode()).digest())[:count]
