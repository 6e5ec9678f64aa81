"""Pictures on their way through the decoding threads. Each comes back to the engine as a message."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Iterable
from concurrent.futures import Executor, Future

from flashsight.core.errors import EngineFault, FlashSightError
from flashsight.core.types import PictureInput, PictureKey, Salt
from flashsight.engine.inbox import Decoded, Message
from flashsight.engine.keeping import Keeper

_log = logging.getLogger(__name__)


class Decoding:
    """Starts and drops decoding. `post` brings a message back from a thread. Used by the engine's thread."""

    def __init__(
        self, threads: Executor, keeper: Keeper, post: Callable[[Message], object], clock: Callable[[], float]
    ) -> None:
        self._threads = threads
        self._keeper = keeper
        self._post = post
        self._clock = clock
        self._under_way: dict[PictureKey, Future[None]] = {}

    def start(self, pictures: Iterable[PictureInput]) -> None:
        """Decode each picture, or find what a tier has of it."""
        for picture in pictures:
            salts = self._keeper.salts_of(picture.key)
            self._under_way[picture.key] = self._threads.submit(self._decode, picture, salts)

    def came_back(self, key: PictureKey) -> None:
        """A picture has left its thread."""
        self._under_way.pop(key, None)

    def drop(self, key: PictureKey) -> None:
        """Take a picture out of the queue; one already begun ends by itself."""
        if key in self._under_way:
            self._under_way.pop(key).cancel()

    def _decode(self, picture: PictureInput, salts: Collection[Salt]) -> None:
        """Runs on a decoding thread."""
        started_at = self._clock()
        outcome: object
        try:
            outcome = self._keeper.find(picture, salts) or picture.load()
        except FlashSightError as error:
            outcome = error
        except Exception:
            _log.exception("decoding a picture failed")
            outcome = EngineFault("a picture could not be decoded, and the fault is ours; please send it again")
        self._post(Decoded(key=picture.key, outcome=outcome, started_at=started_at, ended_at=self._clock()))
