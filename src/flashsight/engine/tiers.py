"""Encoded pictures below the device: in host memory, then in files that survive a restart. Decides nothing.

An entry is named by a hash of weights, number format, picture and salt, so that no caller finds what another has left.
A file is safetensors with a digest of its numbers; whatever is cut short, altered or of another form is deleted and
the picture encoded again. `find` may be called from any thread; the rest from the engine's.
"""

from __future__ import annotations

import logging
import os
import re
from collections import OrderedDict
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from hashlib import blake2b
from pathlib import Path
from threading import BoundedSemaphore, Lock

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save
from torch import Tensor

from flashsight.core.errors import ConfigError
from flashsight.core.types import PictureInput, PictureKey, Salt
from flashsight.engine.pictures import Recalled

_log = logging.getLogger(__name__)

MOST_PENDING_FILES = 64
"""Pictures whose files are still to be written; when the disk is slower than that, the next ones are not kept."""
MOST_HEADER_BYTES = 4096
_ENTRY = re.compile(r"[0-9a-f]{64}\.safetensors")
_UNFINISHED = re.compile(r"[0-9a-f]{64}\.part")


class HostTier:
    """Features in host memory, the longest unused first to go."""

    def __init__(self, capacity_bytes: int) -> None:
        self.capacity_bytes = capacity_bytes
        self.used_bytes = 0
        self._lock = Lock()
        self._entries: OrderedDict[str, Tensor] = OrderedDict()

    def get(self, name: str) -> Tensor | None:
        """The features; they become the most recently used."""
        with self._lock:
            features_MC = self._entries.get(name)
            if features_MC is not None:
                self._entries.move_to_end(name)
            return features_MC

    def put(self, name: str, features_MC: Tensor) -> None:
        """Keep features, if they fit at all."""
        with self._lock:
            if name in self._entries or features_MC.nbytes > self.capacity_bytes:
                return
            self._entries[name] = features_MC
            self.used_bytes += features_MC.nbytes
            while self.used_bytes > self.capacity_bytes:
                _, oldest = self._entries.popitem(last=False)
                self.used_bytes -= oldest.nbytes


class DiskTier:
    """Features in a folder, one file each, up to capacity_bytes; the longest unused first to go.

    Raises ConfigError if the folder can't be made or written.
    """

    def __init__(self, folder: Path, capacity_bytes: int) -> None:
        self.folder = folder
        self.capacity_bytes = capacity_bytes
        self.used_bytes = 0
        self._lock = Lock()
        self._sizes: OrderedDict[str, int] = OrderedDict()
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._take_stock()
        except OSError as error:
            raise ConfigError(
                f"picture_folder {str(folder)!r} cannot be used: {error.strerror}", param="picture_folder"
            ) from None
        if not os.access(folder, os.W_OK | os.X_OK):
            raise ConfigError(f"picture_folder {str(folder)!r} cannot be written", param="picture_folder")

    def __contains__(self, name: str) -> bool:
        with self._lock:
            return name in self._sizes

    def get(self, name: str, shape: tuple[int, int], dtype: torch.dtype) -> Tensor | None:
        """Read features_MC of that shape and format. Anything else under the name is deleted, and None returned."""
        with self._lock:
            if name not in self._sizes:
                return None
            self._sizes.move_to_end(name)
        path = self._path(name)
        try:
            features_MC = _read(path, name, shape, dtype)
            os.utime(path)
        except (OSError, SafetensorError, ValueError, KeyError, RuntimeError):
            _log.warning("a kept picture is not whole; it is deleted and the picture encoded again")
            self._drop(name)
            return None
        return features_MC

    def put(self, name: str, features_MC: Tensor) -> None:
        """Write a file in one move, so that it is there whole or not at all; a full disk is no one's fault."""
        content = save({"features": features_MC}, metadata={"entry": name, "digest": _digest(features_MC)})
        if name in self or len(content) > self.capacity_bytes:
            return
        unfinished = self.folder / f"{name}.part"
        try:
            with os.fdopen(os.open(unfinished, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
                file.write(content)
            unfinished.replace(self._path(name))
        except OSError as error:
            _log.warning("a picture could not be kept in %s: %s", self.folder, error.strerror)
            unfinished.unlink(missing_ok=True)
            return
        with self._lock:
            self._sizes[name] = len(content)
            self.used_bytes += len(content)
        self._make_room()

    def _take_stock(self) -> None:
        found = []
        for path in self.folder.iterdir():
            if path.is_symlink() or not path.is_file():
                continue
            if _UNFINISHED.fullmatch(path.name):
                path.unlink(missing_ok=True)
            elif _ENTRY.fullmatch(path.name):
                status = path.stat()
                found.append((status.st_mtime_ns, path.stem, status.st_size))
        for _, name, num_bytes in sorted(found):
            self._sizes[name] = num_bytes
            self.used_bytes += num_bytes
        self._make_room()

    def _make_room(self) -> None:
        while self.used_bytes > self.capacity_bytes and self._sizes:
            self._drop(next(iter(self._sizes)))

    def _drop(self, name: str) -> None:
        with self._lock:
            self.used_bytes -= self._sizes.pop(name, 0)
        self._path(name).unlink(missing_ok=True)

    def _path(self, name: str) -> Path:
        return self.folder / f"{name}.safetensors"


class PictureTiers:
    """Both tiers under the device's picture cache; either may be missing (None)."""

    def __init__(
        self,
        *,
        host: HostTier | None,
        disk: DiskTier | None,
        weights_id: str,
        num_features: int,
        dtype: torch.dtype,
        device: torch.device,
    ) -> None:
        """num_features: C of features_MC. weights_id: equal ids mean equal weights."""
        self._host = host
        self._disk = disk
        self._label = f"{weights_id}|{num_features}|{dtype}".encode()
        self._num_features = num_features
        self._dtype = dtype
        self._device = device
        self._writer = ThreadPoolExecutor(1, "flashsight-pictures")
        self._pending = BoundedSemaphore(MOST_PENDING_FILES)

    def find(self, picture: PictureInput, salts: Iterable[Salt]) -> Recalled | None:
        """Features that one of these callers has left, on the host; None if there are none."""
        names = [self._name(picture.key, salt) for salt in salts]
        for name in names if self._host is not None else ():
            features_MC = self._host.get(name) if self._host is not None else None
            if features_MC is not None:
                return Recalled(features_MC, "host")
        for name in names if self._disk is not None else ():
            shape = (picture.num_tokens, self._num_features)
            features_MC = self._disk.get(name, shape, self._dtype) if self._disk is not None else None
            if features_MC is not None:
                if self._host is not None:
                    self._host.put(name, features_MC)
                return Recalled(features_MC, "disk")
        return None

    def keep(self, key: PictureKey, features_MC: Tensor, salts: Iterable[Salt]) -> None:
        """Copy features to the host and leave them there for these callers; files are written by a thread."""
        names = [name for salt in salts if not self._has(name := self._name(key, salt))]
        if not names:
            return
        copy_MC = features_MC.detach().to("cpu", copy=True)
        for name in names:
            if self._host is not None:
                self._host.put(name, copy_MC)
            if self._disk is not None and self._pending.acquire(blocking=False):
                self._writer.submit(self._write, self._disk.put, name, copy_MC)

    def placed(self, recalled: Recalled) -> Tensor:
        """The features on the device."""
        assert isinstance(recalled.features, Tensor), "a tier holds what keep was given"
        return recalled.features.to(self._device)

    def close(self) -> None:
        """Wait until every file is written."""
        self._writer.shutdown(wait=True)

    def _write(self, put: Callable[[str, Tensor], None], name: str, features_MC: Tensor) -> None:
        try:
            put(name, features_MC)
        except Exception:
            _log.exception("keeping a picture failed")
        finally:
            self._pending.release()

    def _has(self, name: str) -> bool:
        if self._disk is not None:
            return name in self._disk
        return self._host is not None and self._host.get(name) is not None

    def _name(self, key: PictureKey, salt: Salt) -> str:
        content = blake2b(salt, digest_size=32, person=b"picture")
        for part in (self._label, key.encode()):
            content.update(len(part).to_bytes(8, "little") + part)
        return content.hexdigest()


def _read(path: Path, name: str, shape: tuple[int, int], dtype: torch.dtype) -> Tensor:
    """Raises ValueError, or what the libraries raise, unless the file is what `put` wrote."""
    if path.is_symlink() or path.stat().st_size > shape[0] * shape[1] * dtype.itemsize + MOST_HEADER_BYTES:
        raise ValueError(path.name)
    with safe_open(path, framework="pt") as file:
        noted = file.metadata() or {}
        features_MC: Tensor = file.get_tensor("features")
    if tuple(features_MC.shape) != shape or features_MC.dtype is not dtype:
        raise ValueError(path.name)
    if noted.get("entry") != name or noted.get("digest") != _digest(features_MC):
        raise ValueError(path.name)
    return features_MC


def _digest(features_MC: Tensor) -> str:
    return blake2b(features_MC.contiguous().view(torch.uint8).numpy().data, digest_size=16).hexdigest()
