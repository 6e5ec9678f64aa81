from __future__ import annotations

import hashlib
import hmac

import pytest

from flashsight.core.errors import ConfigError, KeyRequired
from flashsight.guard import AccessPolicy


def test_without_keys_this_machine_is_admitted_and_others_are_not():
    policy = AccessPolicy()
    assert policy.admit(None, is_local=True).name == "anonymous"
    with pytest.raises(KeyRequired, match="--open"):
        policy.admit(None, is_local=False)


def test_a_key_that_was_not_asked_for_is_not_looked_at():
    assert AccessPolicy().admit("sk-anything", is_local=True).name == "anonymous"


def test_open_admits_everyone():
    policy = AccessPolicy(is_open=True)
    assert policy.is_open
    assert policy.admit(None, is_local=False).name == "anonymous"


@pytest.mark.parametrize("is_local", [True, False])
@pytest.mark.parametrize("key", [None, "", "wrong-key-1", "first-key-12", "first-key-1 ", "\ud800"])
def test_with_keys_everyone_needs_one_even_on_this_machine_and_even_if_open(key: str | None, is_local: bool):
    policy = AccessPolicy(["first-key-1", "second-key-2"], is_open=True)
    assert not policy.is_open
    with pytest.raises(KeyRequired):
        policy.admit(key, is_local=is_local)


def test_each_key_names_its_caller_without_showing_the_key():
    policy = AccessPolicy(["first-key-1", "second-key-2"])
    first, second = (policy.admit(key, is_local=False) for key in ("first-key-1", "second-key-2"))
    assert first.name == "key-" + hashlib.sha256(b"first-key-1").hexdigest()[:8]
    assert first.name != second.name
    assert "first-key" not in repr(vars(policy))


def test_the_salt_comes_from_the_key_alone_so_that_it_survives_a_restart():
    salts = {AccessPolicy(["first-key-1"]).admit("first-key-1", is_local=True).salt for _ in range(2)}
    assert salts == {hmac.digest(b"first-key-1", b"flashsight cache salt v1", "sha256")}


def test_anonymous_callers_of_two_processes_share_no_salt():
    assert AccessPolicy().admit(None, is_local=True).salt != AccessPolicy().admit(None, is_local=True).salt


@pytest.mark.parametrize("key", ["", "short", " padded-key "])
def test_a_key_that_cannot_be_one_is_refused_without_being_shown(key: str):
    with pytest.raises(ConfigError) as caught:
        AccessPolicy([key])
    assert caught.value.param == "api_keys"
    assert not key or key not in caught.value.message
