"""Encoded pictures in host memory and in files: found again by their owner, by nobody else, and whole or not at all."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from tests.engine.rig import SALT, Rig
from tests.support.prompts import Prompt, greedy, hf_greedy, model_input, some_picture

from flashsight.core.errors import ConfigError
from flashsight.core.types import Grid, PictureInput, PictureKey, Salt
from flashsight.engine.tiers import DiskTier, HostTier, PictureTiers

NAME, OTHER = "a" * 64, "b" * 64
SHAPE = (6, 8)
CPU = torch.device("cpu")


def features(seed: int = 0, dtype: torch.dtype = torch.float32) -> torch.Tensor:
    return torch.randn(SHAPE, generator=torch.Generator().manual_seed(seed)).to(dtype)


def picture(key: str = "p", num_tokens: int = SHAPE[0]) -> PictureInput:
    def load() -> Any:
        raise AssertionError("nothing is decoded here")

    grid = Grid(t=1, h=2, w=2 * num_tokens)
    return PictureInput(key=PictureKey(key), grid=grid, resized=(28, 28), start=0, num_tokens=num_tokens, load=load)


def tiers_of(
    folder: Path | None,
    *,
    host_bytes: int = 0,
    weights_id: str = "w",
    num_features: int = SHAPE[1],
    dtype: torch.dtype = torch.float32,
) -> PictureTiers:
    return PictureTiers(
        host=HostTier(host_bytes) if host_bytes else None,
        disk=None if folder is None else DiskTier(folder, 1 << 20),
        weights_id=weights_id,
        num_features=num_features,
        dtype=dtype,
        device=CPU,
    )


def files(folder: Path) -> list[Path]:
    return sorted(folder.glob("*.safetensors"))


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16, torch.float16])
def test_what_is_kept_is_found_bit_by_bit_after_a_restart(tmp_path: Path, dtype: torch.dtype) -> None:
    before, kept = tiers_of(tmp_path, dtype=dtype), features(1, dtype)
    before.keep(PictureKey("p"), kept, [Salt(b"one")])
    before.close()
    after = tiers_of(tmp_path, dtype=dtype)
    found = after.find(picture(), [Salt(b"one")])
    assert found is not None
    assert found.level == "disk"
    assert torch.equal(after.placed(found).view(torch.uint8), kept.view(torch.uint8))
    after.close()


def test_other_callers_other_weights_and_other_formats_find_nothing(tmp_path: Path) -> None:
    before = tiers_of(tmp_path, host_bytes=1000)
    before.keep(PictureKey("p"), features(), [Salt(b"one")])
    assert before.find(picture(), [Salt(b"two")]) is None
    assert before.find(picture("q"), [Salt(b"one")]) is None
    before.close()
    strangers = [tiers_of(tmp_path, weights_id="v"), tiers_of(tmp_path, dtype=torch.float16)]
    assert [stranger.find(picture(), [Salt(b"one")]) for stranger in strangers] == [None, None]
    for stranger in strangers:
        stranger.close()
    assert len(files(tmp_path)) == 1, "what belongs to others is left alone"


def test_no_file_name_tells_the_picture_and_no_one_else_may_read_it(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    tiers = tiers_of(folder)
    tiers.keep(PictureKey("sha256-of-a-secret"), features(), [Salt(b"one")])
    tiers.close()
    (file,) = files(folder)
    assert "secret" not in file.name
    assert b"secret" not in file.read_bytes()
    assert (folder.stat().st_mode & 0o777, file.stat().st_mode & 0o777) == (0o700, 0o600)


@settings(max_examples=60, deadline=None)
@given(spoil=st.tuples(st.sampled_from(["flip", "cut", "grow"]), st.integers(0, 10_000)))
def test_a_file_that_is_not_whole_is_deleted_and_not_used(
    tmp_path_factory: pytest.TempPathFactory, spoil: tuple[str, int]
) -> None:
    folder = tmp_path_factory.mktemp("spoilt")
    DiskTier(folder, 1 << 20).put(NAME, features())
    (file,) = files(folder)
    content = bytearray(file.read_bytes())
    how, place = spoil[0], spoil[1] % len(content)
    if how == "flip":
        content[place] ^= 0x41
    content = content[:place] if how == "cut" else content + b"\0" * (place + 1) if how == "grow" else content
    file.write_bytes(content)
    disk = DiskTier(folder, 1 << 20)
    found = disk.get(NAME, SHAPE, torch.float32)
    if found is None:
        assert files(folder) == []
        assert disk.used_bytes == 0
    else:
        assert torch.equal(found, features()), "only a header's spare byte may differ"


@pytest.mark.parametrize("what", ["other shape", "other entry", "no digest", "link", "pickle"])
def test_a_file_of_another_form_is_deleted_and_not_used(tmp_path: Path, what: str) -> None:
    disk = DiskTier(tmp_path, 1 << 20)
    disk.put(NAME, features())
    path = tmp_path / f"{NAME}.safetensors"
    shape = SHAPE
    if what == "other shape":
        shape = (SHAPE[0] + 1, SHAPE[1])
    elif what == "other entry":
        disk.put(OTHER, features(2))
        (tmp_path / f"{OTHER}.safetensors").replace(path)
    elif what == "no digest":
        save_file({"features": features()}, path)
    elif what == "link":
        path.rename(tmp_path / "elsewhere")
        path.symlink_to(tmp_path / "elsewhere")
    else:
        torch.save(features(), path)
    assert disk.get(NAME, shape, torch.float32) is None
    assert not path.exists()
    assert NAME not in disk


def test_the_folder_stays_within_its_size_and_the_longest_unused_goes_first(tmp_path: Path) -> None:
    disk = DiskTier(tmp_path, 1 << 20)
    disk.put(NAME, features())
    size = disk.used_bytes
    small = DiskTier(tmp_path / "small", 3 * size + 10)
    names = [letter * 64 for letter in "abcd"]
    for seed, name in enumerate(names[:3]):
        small.put(name, features(seed))
    assert small.get(names[0], SHAPE, torch.float32) is not None
    small.put(names[3], features(3))
    assert [name in small for name in names] == [True, False, True, True]
    assert small.used_bytes == sum(file.stat().st_size for file in files(tmp_path / "small")) <= small.capacity_bytes
    again = DiskTier(tmp_path / "small", size)
    assert len(files(tmp_path / "small")) == 1
    assert again.used_bytes == size


def test_unfinished_files_go_at_the_start_and_foreign_ones_stay(tmp_path: Path) -> None:
    (tmp_path / f"{NAME}.part").write_bytes(b"half")
    (tmp_path / "notes.txt").write_bytes(b"mine")
    DiskTier(tmp_path, 1 << 20)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_folder_that_cannot_be_made_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="picture_folder") as refused:
        DiskTier(tmp_path / "file" / "pictures", 1 << 20)
    assert refused.value.param == "picture_folder"


def test_host_memory_is_bounded_and_forgets_the_longest_unused() -> None:
    size = features().nbytes
    host = HostTier(2 * size)
    for name in "ab":
        host.put(name, features())
    assert host.get("a") is not None
    host.put("c", features())
    assert [host.get(name) is not None for name in "abc"] == [True, False, True]
    assert host.used_bytes == 2 * size
    host.put("large", torch.zeros(1000))
    assert host.used_bytes == 2 * size


# --- with an engine ----------------------------------------------------------------------------------------------

PROMPT = Prompt(([5], some_picture(1), [6, 7]))
OTHER_PROMPT = Prompt(([5], some_picture(2), [6, 7]))


@pytest.fixture
def own_tiers(tmp_path: Path, tiny_reference: Any) -> Callable[..., PictureTiers]:
    width = tiny_reference.config.text_config.hidden_size
    return lambda folder=tmp_path, **more: tiers_of(folder, num_features=width, **more)


async def levels(rig: Rig, hf: Any, prompts: list[Prompt], salt: Salt = SALT) -> list[str]:
    found = []
    for prompt in prompts:
        events = await rig.answer(model_input(prompt, hf), greedy(hf, 4), salt)
        assert [event.token for event in events] == hf_greedy(prompt, hf, 4)
        assert events[0].stats is not None
        found.append(events[0].stats.picture_level)
        await rig.settle()
    return found


async def test_a_picture_survives_a_restart_and_its_answer_stays_the_same(
    make_rig: Callable[..., Rig], tiny_reference: Any, own_tiers: Callable[..., PictureTiers]
) -> None:
    first = make_rig(tiers=own_tiers())
    assert await levels(first, tiny_reference, [PROMPT]) == ["none"]
    first.engine.stop()
    second = make_rig(tiers=own_tiers())
    assert await levels(second, tiny_reference, [PROMPT]) == ["disk"]
    totals = await second.settle()
    assert (totals.encoder_calls, totals.pictures_encoded, totals.pictures_recalled) == (0, 0, 1)
    assert await levels(second, tiny_reference, [OTHER_PROMPT]) == ["none"]


async def test_another_caller_does_not_find_what_one_has_left(
    make_rig: Callable[..., Rig], tiny_reference: Any, own_tiers: Callable[..., PictureTiers]
) -> None:
    first = make_rig(tiers=own_tiers())
    await levels(first, tiny_reference, [PROMPT], Salt(b"one"))
    first.engine.stop()
    second = make_rig(tiers=own_tiers())
    assert await levels(second, tiny_reference, [PROMPT], Salt(b"two")) == ["none"]
    assert (await second.settle()).encoder_calls == 1


async def test_what_the_device_drops_comes_back_from_host_memory(
    make_rig: Callable[..., Rig], tiny_reference: Any, own_tiers: Callable[..., PictureTiers]
) -> None:
    tiers = own_tiers(None, host_bytes=1 << 20)
    rig = make_rig(tiers=tiers, picture_tokens=12, has_prefix_cache=False)
    wanted = [PROMPT, PROMPT, OTHER_PROMPT, PROMPT, OTHER_PROMPT]
    assert await levels(rig, tiny_reference, wanted) == ["none", "device", "none", "host", "host"]
    assert (await rig.settle()).encoder_calls == 2


async def test_a_damaged_file_costs_an_encoding_and_nothing_else(
    make_rig: Callable[..., Rig], tiny_reference: Any, own_tiers: Callable[..., PictureTiers], tmp_path: Path
) -> None:
    first = make_rig(tiers=own_tiers())
    await levels(first, tiny_reference, [PROMPT])
    first.engine.stop()
    for file in files(tmp_path):
        file.write_bytes(file.read_bytes()[:-5])
    second = make_rig(tiers=own_tiers())
    assert await levels(second, tiny_reference, [PROMPT]) == ["none"]
    second.engine.stop()
    assert len(files(tmp_path)) == 1
    third = make_rig(tiers=own_tiers())
    assert await levels(third, tiny_reference, [PROMPT]) == ["disk"]
