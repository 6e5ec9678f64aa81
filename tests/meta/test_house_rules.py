"""The rules of the house, checked on the text of the code itself."""

from __future__ import annotations

import ast
import os
import re
import statistics
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import flashsight

ROOT = Path(__file__).parents[2]
PACKAGE = ROOT / "src" / "flashsight"
MODULES = sorted(PACKAGE.rglob("*.py"))
TESTS = sorted((ROOT / "tests").rglob("*.py"))
MAX_FILE_LINES, MAX_TEST_FILE_LINES, MAX_FUNCTION_LINES = 400, 500, 60
BANNED_NAMES = {"data", "info", "manager", "helper", "helpers", "utils", "util", "common", "misc"}

Function = ast.FunctionDef | ast.AsyncFunctionDef


def name_of(path: Path) -> str:
    return str(path.relative_to(ROOT))


@cache
def tree_of(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"))


def functions_of(path: Path) -> Iterator[Function]:
    return (node for node in ast.walk(tree_of(path)) if isinstance(node, Function))


def length_of(function: Function) -> int:
    assert function.end_lineno is not None
    return function.end_lineno - function.lineno + 1


def tracked() -> list[str]:
    listed = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=False)
    if listed.returncode != 0:
        pytest.skip("not a git checkout")
    return [name for name in listed.stdout.split("\0") if name and (ROOT / name).exists()]


@pytest.mark.parametrize("path", MODULES + TESTS, ids=name_of)
def test_a_file_stays_short(path: Path) -> None:
    num_lines = len(path.read_text(encoding="utf-8").splitlines())
    assert num_lines < (MAX_FILE_LINES if path in MODULES else MAX_TEST_FILE_LINES)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_function_stays_below_60_lines(path: Path) -> None:
    assert [f.name for f in functions_of(path) if length_of(f) >= MAX_FUNCTION_LINES] == []


def test_the_median_function_is_small() -> None:
    assert statistics.median(length_of(f) for path in MODULES for f in functions_of(path)) <= 10


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_a_module_and_what_it_offers_say_what_they_are(path: Path) -> None:
    module = tree_of(path)
    assert ast.get_docstring(module)
    offered = [node for node in module.body if isinstance(node, ast.ClassDef | Function)]
    silent = [node.name for node in offered if not node.name.startswith("_") and not ast.get_docstring(node)]
    assert silent == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_only_commands_print(path: Path) -> None:
    if "cli" in path.relative_to(PACKAGE).parts:
        return
    calls = [node for node in ast.walk(tree_of(path)) if isinstance(node, ast.Call)]
    assert [call.lineno for call in calls if isinstance(call.func, ast.Name) and call.func.id == "print"] == []


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_nothing_is_unpickled_or_evaluated(path: Path) -> None:
    imported = {
        alias.name.split(".")[0]
        for node in ast.walk(tree_of(path))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for alias in (node.names if isinstance(node, ast.Import) else [ast.alias(node.module or "")])
    }
    assert not imported & {"pickle", "cPickle", "dill", "joblib", "shelve", "marshal", "cv2"}
    named = {n.func.id for n in ast.walk(tree_of(path)) if isinstance(n, ast.Call) and isinstance(n.func, ast.Name)}
    assert not named & {"eval", "exec", "compile", "__import__"}


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_module_has_a_name_that_says_nothing(path: Path) -> None:
    assert not BANNED_NAMES & set(path.relative_to(PACKAGE).with_suffix("").parts)


@pytest.mark.parametrize("path", MODULES, ids=name_of)
def test_no_work_is_left_as_a_note(path: Path) -> None:
    found = re.findall(r"#.*\b(TODO|FIXME|XXX|HACK)\b", path.read_text(encoding="utf-8"))
    assert found == []


def test_core_imports_no_torch() -> None:
    modules = ", ".join(f"flashsight.core.{path.stem}" for path in (PACKAGE / "core").glob("[a-z]*.py"))
    code = f"import sys, {modules}; sys.exit('torch' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0


def test_a_module_imports_only_from_rows_below_its_own() -> None:
    linter = Path(sys.executable).with_name("lint-imports")
    environment = {**os.environ, "PYTHONPATH": str(ROOT / "src")}
    ended = subprocess.run([linter, "--no-cache"], cwd=ROOT, env=environment, capture_output=True, check=False)
    assert ended.returncode == 0, ended.stdout.decode()


@pytest.mark.parametrize("extension", ["py", "sh", "toml", "md", "js", "html", "css", "yml", "yaml"])
def test_no_file_knows_the_machine_it_was_written_on(extension: str) -> None:
    pattern = re.compile(r"/(work|root|home/[a-z]+)/")
    allowed = "/" + "home/user/"
    for name in tracked():
        if name.endswith("." + extension) and "/vendor/" not in name:
            text = (ROOT / name).read_text(encoding="utf-8").replace(allowed, "")
            assert not pattern.search(text), name


def test_the_version_is_the_same_everywhere() -> None:
    version = flashsight.__version__
    assert re.fullmatch(r"\d+\.\d+\.\d+", version)
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    assert "version" in project["project"]["dynamic"]
    changelog = ROOT / "CHANGELOG.md"
    if changelog.is_file():
        text = changelog.read_text(encoding="utf-8")
        assert version in text or "Unreleased" in text


def test_every_direct_dependency_has_one_exact_version() -> None:
    pinned: dict[str, str] = {}
    for line in (ROOT / "constraints.txt").read_text(encoding="utf-8").splitlines():
        if line and not line.startswith("#"):
            name, separator, version = line.partition("==")
            assert separator, line
            assert name not in pinned, line
            pinned[name] = version
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    direct = project["project"]["dependencies"] + project["dependency-groups"]["test"]
    names = {re.split(r"[\[<>=!~ ]", requirement)[0].lower().replace("_", "-") for requirement in direct}
    assert names <= set(pinned)
    assert not any("<" not in requirement for requirement in direct), "a range needs an upper end"


ASSET_SUFFIXES = (".png", ".jpg", ".webp", ".svg", ".safetensors", ".ttf", ".woff2", ".ico", ".gif")


def test_every_asset_is_noted_with_its_origin() -> None:
    noted = {line.split()[0] for line in (ROOT / "NOTICE").read_text(encoding="utf-8").splitlines() if line}
    assets = [name for name in tracked() if name.endswith(ASSET_SUFFIXES) or "/vendor/" in name]
    assert [name for name in assets if not {name, *map(str, Path(name).parents)} & noted] == []


def test_the_tree_in_the_readme_is_what_the_files_say_of_themselves() -> None:
    check = [sys.executable, str(ROOT / "scripts" / "tree.py"), "--check"]
    assert subprocess.run(check, check=False).returncode == 0, "run `make docs`"


def test_the_licence_is_apache_2() -> None:
    text = (ROOT / "LICENSE").read_text(encoding="utf-8")
    assert "Apache License" in text
    assert "END OF TERMS AND CONDITIONS" in text
