#!/usr/bin/env bash
# Sets up and runs every check, as on a new machine: style, types, layers, tests. The last line is the verdict.
# 准备环境并运行全部检查;最后一行是结论。
set -uo pipefail

here="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
cd "$here" || exit 1
venv="${FLASHSIGHT_VENV:-$here/.venv}"
reports="$here/.flashsight/reports"
export OMP_NUM_THREADS=1 TOKENIZERS_PARALLELISM=false HF_HUB_OFFLINE=1 PYTHONPATH="$here/src"

give_up() {
  echo "$1" >&2
  echo "0 passed, 1 failed"
  exit 1
}

install_test_packages() {
  local stamp="$venv/.flashsight-test-stamp" wanted
  wanted="$(cat constraints.txt pyproject.toml | sha256sum)"
  if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted" ]; then return; fi
  if [ -n "${FLASHSIGHT_VENV:-}" ] && "$venv/bin/python" -c 'import pytest, ruff, playwright' 2>/dev/null; then return; fi
  "$venv/bin/python" - <<'PYTHON' >.flashsight/test-requirements.txt || return 1
import tomllib
with open("pyproject.toml", "rb") as file:
    print("\n".join(tomllib.load(file)["dependency-groups"]["test"]))
PYTHON
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --prefer-binary \
    -c constraints.txt -r .flashsight/test-requirements.txt || return 1
  printf '%s' "$wanted" >"$stamp"
}

install_triton() { # its interpreter runs the GPU's kernels here; a torch for CUDA brings its own
  "$venv/bin/python" -c 'import triton' 2>/dev/null && return
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --no-deps triton==3.9.0 2>/dev/null ||
    echo "without triton: the tests of the GPU's kernels are skipped" >&2
}

install_system_packages() { # a browser for the page's tests, and a font that has Chinese
  local missing=() as_root=()
  command -v chromium >/dev/null 2>&1 || missing+=(chromium)
  fc-list 2>/dev/null | grep -qi 'noto.*cjk' || missing+=(fonts-noto-cjk)
  if [ ${#missing[@]} -eq 0 ] || ! command -v apt-get >/dev/null 2>&1; then return 0; fi
  if [ "$(id -u)" -ne 0 ]; then
    sudo -n true 2>/dev/null || { echo "without root: ${missing[*]} not installed; browser tests may be skipped" >&2; return 0; }
    as_root=(sudo -n)
  fi
  "${as_root[@]}" apt-get update -qq >/dev/null
  DEBIAN_FRONTEND=noninteractive "${as_root[@]}" apt-get install -y -qq --no-install-recommends "${missing[@]}" >/dev/null
}

num_failed_checks=0
check() { # name, command...
  local name="$1"
  shift
  if "$@"; then echo "ok   $name"; else
    echo "FAIL $name"
    num_failed_checks=$((num_failed_checks + 1))
  fi
}

types_are_right() { # waits for what was started before
  local status=0
  wait "$types" || status=$?
  cat "$reports/types.txt"
  return "$status"
}

tests() { # report name, pytest arguments...; 5: none were collected
  local report="$1" status=0
  shift
  "$venv/bin/python" -m pytest -p no:cacheprovider --junit-xml="$reports/$report.xml" "$@" || status=$?
  [ "$status" -eq 0 ] || [ "$status" -eq 5 ]
}

verdict() {
  "$venv/bin/python" - "$reports" "$num_failed_checks" <<'PYTHON'
import sys
from pathlib import Path
from xml.etree import ElementTree

totals = {"tests": 0, "failures": 0, "errors": 0, "skipped": 0}
for report in Path(sys.argv[1]).glob("*.xml"):
    for suite in ElementTree.parse(report).getroot().iter("testsuite"):
        for name in totals:
            totals[name] += int(suite.get(name, 0))
failed = totals["failures"] + totals["errors"]
passed = totals["tests"] - failed - totals["skipped"]
if failed == 0:
    failed = int(sys.argv[2])
skipped = f", {totals['skipped']} skipped" if totals["skipped"] else ""
print(f"{passed} passed, {failed} failed{skipped}")
sys.exit(failed > 0 or passed == 0)
PYTHON
}

install_system_packages </dev/null & # beside the set-up: both wait for a network most of the time
system_packages=$!
./start.sh --setup || give_up "the set-up failed"
rm -rf "$reports"
mkdir -p "$reports"
install_test_packages || give_up "the test packages could not be installed"
install_triton
wait "$system_packages" || give_up "the system packages could not be installed"

nice "$venv/bin/python" -m mypy >"$reports/types.txt" 2>&1 & # behind what else wants a core
types=$!
check "style" "$venv/bin/ruff" check -q .
check "format" "$venv/bin/ruff" format -q --check .
check "layers" "$venv/bin/lint-imports" --no-cache
check "tests" tests tests -n 2 --dist loadfile --no-loadscope-reorder -m "not browser"
check "types" types_are_right
check "browser tests" tests browser -n 2 --dist loadfile -m browser
verdict
