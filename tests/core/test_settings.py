from __future__ import annotations

import os
import tomllib
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import fields
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from flashsight.core.config import Config, EngineConfig, MediaConfig, ModelConfig, ServerConfig
from flashsight.core.errors import ConfigError
from flashsight.core.settings import MASK, SETTINGS, feeds, flag_of, variable_of
from flashsight.core.sources import read_settings

SECTIONS = {"model": ModelConfig, "engine": EngineConfig, "media": MediaConfig, "server": ServerConfig}


@contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    before = dict(os.environ)
    for name in list(os.environ):
        if name.startswith("FLASHSIGHT_"):
            del os.environ[name]
    os.environ.update(variables)
    try:
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


@pytest.fixture(autouse=True)
def _clean(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    with environment({}):
        yield


def test_defaults_are_those_of_the_configs() -> None:
    assert read_settings().config == Config()


@pytest.mark.parametrize("section", SECTIONS)
def test_every_field_of_a_config_is_fed_by_exactly_one_setting(section: str) -> None:
    fed = [feeds(name).field for name in SETTINGS if feeds(name).section == section]
    assert sorted(fed) == sorted(field.name for field in fields(SECTIONS[section]))


PORTS = st.none() | st.integers(0, 65535)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
@given(flag=PORTS, variable=PORTS, in_file=PORTS)
def test_a_flag_wins_over_a_variable_over_the_file_over_the_default(
    tmp_path: Path, flag: int | None, variable: int | None, in_file: int | None
) -> None:
    file = tmp_path / "some.toml"
    file.write_text("" if in_file is None else f"port = {in_file}\n")
    candidates = [
        (flag, "--port"),
        (variable, "FLASHSIGHT_PORT"),
        (in_file, str(file)),
        (8080, "default"),
    ]
    value, origin = next((value, origin) for value, origin in candidates if value is not None)
    with environment({} if variable is None else {"FLASHSIGHT_PORT": str(variable)}):
        effective = read_settings({} if flag is None else {"port": str(flag)}, file=file)
    assert effective.config.server.port == value
    assert effective.origins["port"] == origin


@pytest.mark.parametrize(
    ("spelled", "num_bytes"), [("512MiB", 512 << 20), ("1.5GB", 1_500_000_000), ("1024", 1024), ("2 GiB", 2 << 30)]
)
def test_sizes_take_units(spelled: str, num_bytes: int) -> None:
    assert read_settings({"kv_memory": spelled}).config.engine.kv_bytes == num_bytes


def test_auto_undoes_a_size_that_the_file_sets(tmp_path: Path) -> None:
    file = tmp_path / "flashsight.toml"
    file.write_text('kv_memory = "64MiB"\n')
    assert read_settings().config.engine.kv_bytes == 64 << 20
    assert read_settings({"kv_memory": "auto"}).config.engine.kv_bytes is None


def test_several_keys_are_separated_by_commas_in_the_environment() -> None:
    with environment({"FLASHSIGHT_API_KEY": "first-key, second-key"}):
        assert read_settings().config.server.api_keys == ("first-key", "second-key")


@pytest.mark.parametrize(
    ("variables", "file", "flags", "said"),
    [
        ({"FLASHSIGHT_PROT": "1"}, "", {}, "FLASHSIGHT_PROT in the environment; did you mean FLASHSIGHT_PORT?"),
        ({}, "max_sied = 5", {}, "max_sied in flashsight.toml; did you mean max_side?"),
        ({}, "[server]\nport = 1", {}, "unknown setting server in flashsight.toml"),
        ({}, "port = ", {}, "flashsight.toml is not valid TOML"),
        ({}, "", {"hots": "x"}, "hots on the command line; did you mean host?"),
        ({}, "", {"port": "99999"}, "port must be in [0, 65535], got 99999 (from --port)"),
        ({}, "", {"port": "eighty"}, "port (from --port) is wrong"),
        (
            {"FLASHSIGHT_DEVICE": "tpu"},
            "",
            {},
            "device (from FLASHSIGHT_DEVICE) is wrong: it must be auto or cpu or cuda",
        ),
        ({}, "", {"kv_memory": "0"}, "kv_memory must be at least 1, got 0 (from --kv-memory)"),
        ({}, "", {"kv_memory": "3 parsecs"}, "kv_memory (from --kv-memory) is wrong"),
        ({}, "offline = true", {"allow_fetch": "true"}, "allow_fetch contradicts offline"),
    ],
)
def test_an_unknown_or_bad_setting_is_refused_by_name(
    variables: dict[str, str], file: str, flags: dict[str, str], said: str
) -> None:
    Path("flashsight.toml").write_text(file)
    with environment(variables), pytest.raises(ConfigError) as caught:
        read_settings(flags)
    assert said in caught.value.message


def test_a_named_file_that_is_not_there_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml does not exist"):
        read_settings(file=Path("nowhere.toml"))


def test_a_bad_secret_is_not_repeated_in_the_error() -> None:
    with pytest.raises(ConfigError) as caught:
        read_settings({"api_key": [["hunter2hunter2"]]})
    assert "hunter2" not in caught.value.message


def test_secrets_are_masked_when_shown() -> None:
    effective = read_settings({"api_key": ["hunter2hunter2"]})
    assert effective.shown("api_key") == MASK
    assert "hunter2" not in repr(effective.config)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=30)
@given(
    given_flags=st.fixed_dictionaries(
        {},
        optional={
            "port": st.integers(0, 65535).map(str),
            "allow_fetch": st.booleans(),
            "kv_memory": st.sampled_from(["auto", "1MiB", "3GB"]),
            "api_key": st.lists(st.text("abcxyz0189-", min_size=8, max_size=20), max_size=3),
            "media_root": st.just("some folder/inside"),
            "max_aspect": st.floats(1, 200).map(str),
        },
    )
)
def test_another_process_comes_to_the_same_settings_by_its_environment(given_flags: dict[str, object]) -> None:
    effective = read_settings(given_flags)
    with environment(effective.as_environment()):
        assert read_settings().config == effective.config


def test_the_three_spellings_belong_together() -> None:
    assert flag_of("kv_memory") == "--kv-memory"
    assert variable_of("kv_memory") == "FLASHSIGHT_KV_MEMORY"


def test_every_default_can_be_written_into_the_file() -> None:
    lines = []
    for name in SETTINGS:
        value = SETTINGS[name].default
        if value is None:
            continue
        spelled = str(value).lower() if isinstance(value, bool) else repr(value) if isinstance(value, str) else value
        lines.append(f"{name} = {list(value) if isinstance(value, tuple) else spelled}")
    text = "\n".join(lines)
    assert tomllib.loads(text)
    Path("flashsight.toml").write_text(text)
    assert read_settings().config == Config()
