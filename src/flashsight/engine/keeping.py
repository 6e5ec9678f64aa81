"""When encoded pictures go to the tiers below: while the engine rests, or just before the device drops them.

Copying from the device takes time that a first token would have to wait for, so nothing is copied when it is made.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence

from torch import Tensor

from flashsight.core.types import PictureInput, PictureKey, Salt
from flashsight.engine.pictures import Recalled
from flashsight.engine.plan import Encode
from flashsight.engine.scheduler import Scheduler
from flashsight.engine.tiers import PictureTiers


class Keeper:
    """Remembers which features no tier has yet, and who asked for them. Without tiers it does nothing."""

    def __init__(self, scheduler: Scheduler, tiers: PictureTiers | None) -> None:
        self._scheduler = scheduler
        self._tiers = tiers
        self._unkept: dict[PictureKey, set[Salt]] = {}
        if tiers is not None:
            scheduler.pictures.on_evict = self._keep

    def salts_of(self, key: PictureKey) -> set[Salt]:
        """The callers who wait for a picture now."""
        return {sequence.salt for sequence in self._scheduler.waiting_for(key)}

    def find(self, picture: PictureInput, salts: Collection[Salt]) -> Recalled | None:
        """What a tier has for these callers; called from a decoding thread."""
        return None if self._tiers is None else self._tiers.find(picture, salts)

    def note(self, key: PictureKey) -> None:
        """The picture's features lie on the device now, made for whoever waits for them."""
        if self._tiers is not None:
            self._unkept[key] = self.salts_of(key)

    def place_recalled(self, encodes: Sequence[Encode]) -> list[Encode]:
        """Bring features of the tiers below to the device; return what is left for the encoder."""
        left = []
        for encode in encodes:
            if self._tiers is not None and isinstance(encode.pixels, Recalled):
                self.note(encode.picture.key)
                self._scheduler.picture_encoded(encode.picture.key, self._tiers.placed(encode.pixels))
            else:
                left.append(encode)
        return left

    def keep_one(self) -> bool:
        """Keep one picture. True if there are more to keep."""
        key = next(iter(self._unkept), None)
        if key is not None:
            self._keep(key, self._scheduler.pictures.features(key))
        return bool(self._unkept)

    def put_away(self) -> None:
        """Keep all that is left, and wait until it is written."""
        if self._tiers is not None:
            while self.keep_one():
                pass
            self._tiers.close()

    def _keep(self, key: PictureKey, features: object) -> None:
        salts = self._unkept.pop(key, None)
        if salts and self._tiers is not None:
            assert isinstance(features, Tensor), "the picture cache holds what encode returned"
            self._tiers.keep(key, features, salts)
