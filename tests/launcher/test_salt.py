from pathlib import Path

import pytest

from flashsight.core.errors import ConfigError
from flashsight.guard import AccessPolicy
from flashsight.launcher.salt import NAME, lasting_salt


def test_callers_without_a_key_keep_their_salt_over_a_restart_and_only_with_a_folder(tmp_path: Path) -> None:
    folder = tmp_path / "pictures"
    salt = lasting_salt(folder)
    assert salt is not None
    assert len(salt) == 32
    assert lasting_salt(folder) == salt
    assert lasting_salt(tmp_path / "another") != salt
    assert lasting_salt(None) is None
    assert ((folder / NAME).stat().st_mode & 0o777, folder.stat().st_mode & 0o777) == (0o600, 0o700)
    assert AccessPolicy(anonymous_salt=salt).admit(None, is_local=True).salt == salt


def test_a_salt_that_is_not_whole_is_replaced(tmp_path: Path) -> None:
    (tmp_path / NAME).write_bytes(b"short")
    salt = lasting_salt(tmp_path)
    assert salt is not None
    assert len(salt) == 32
    assert (tmp_path / NAME).read_bytes() == salt


def test_a_folder_that_cannot_be_used_is_refused_by_name(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(ConfigError, match="picture_folder"):
        lasting_salt(tmp_path / "file" / "pictures")
