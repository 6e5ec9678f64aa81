#!/usr/bin/env bash
# FlashSight in one step: checks the machine, makes the environment, starts the service, says where to look.
# 一键启动:检查机器、建立环境、启动服务、给出地址。
set -euo pipefail

here="$(cd "$(dirname "$(readlink -f "${BASH_SOURCE[0]}")")" && pwd)"
venv="${FLASHSIGHT_VENV:-$here/.venv}"
export FLASHSIGHT_STATE="${FLASHSIGHT_STATE:-$here/.flashsight}"
export PYTHONPATH="$here/src${PYTHONPATH:+:$PYTHONPATH}"
stamp="$venv/.flashsight-stamp"

usage() {
  cat <<'TEXT'
./start.sh                  set up if needed, start in the background, print the address  准备环境并在后台启动
./start.sh --setup          only set up  只准备环境
./start.sh --foreground     stay in this terminal; Ctrl-C ends  在前台运行
./start.sh status | logs | stop   the background service  查看状态、日志,停止服务
./start.sh --help           this text; `./start.sh --foreground --help` lists every setting  本说明

Any other flag goes to `flashsight serve`, for example 其他参数传给 flashsight serve,例如:
  ./start.sh --port 9000
  ./start.sh --model-path ~/models/GLM-4.6V-Flash
  ./start.sh --host 0.0.0.0        others reach it; an API key is made and printed  局域网可访问,自动生成密钥

FLASHSIGHT_VENV    the environment: one that exists is used as it is, a missing one is made (default: .venv here)
FLASHSIGHT_PYTHON  the Python to make it from (default: python3, or the first of python3.11, 3.12, 3.13)
FLASHSIGHT_STATE   folder of pid file and logs (default: .flashsight here)
Without a GPU, PIP_EXTRA_INDEX_URL set to the CPU index of PyTorch (see its "Get started") fetches the small build.
没有显卡时,把 PIP_EXTRA_INDEX_URL 设为 PyTorch 官网给出的 CPU 源,可下载较小的版本。
TEXT
}

fail() { # what is wrong, fix in English, fix in Chinese
  printf 'error 错误: %s\n  fix: %s\n  解决: %s\n' "$1" "$2" "$3" >&2
  exit 1
}

say() { printf '[%s/5] %s: %s (%s s)\n' "$1" "$2" "$3" "$((SECONDS - began))" >&2; }

is_new_enough() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

find_python() {
  if [ -n "${FLASHSIGHT_PYTHON:-}" ]; then
    is_new_enough "$FLASHSIGHT_PYTHON" && echo "$FLASHSIGHT_PYTHON" && return
  else
    local candidate
    for candidate in python3 python3.11 python3.12 python3.13; do
      is_new_enough "$candidate" && echo "$candidate" && return
    done
  fi
  fail "no Python 3.11 or newer was found" \
    "install it (Debian, Ubuntu: sudo apt-get install python3 python3-venv) or name one: FLASHSIGHT_PYTHON=/path/python3 ./start.sh" \
    "请安装 Python 3.11 以上(Debian、Ubuntu:sudo apt-get install python3 python3-venv),或用 FLASHSIGHT_PYTHON 指定"
}

check_gpu() {
  began=$SECONDS
  local gpu=""
  if command -v nvidia-smi >/dev/null 2>&1; then
    gpu="$(nvidia-smi --query-gpu=name,driver_version,memory.total --format=csv,noheader 2>/dev/null | head -n 1 || true)"
  fi
  say 1 "GPU and driver 显卡与驱动" "${gpu:-none, the CPU is used 未发现,使用 CPU}"
}

# A torch that the machine already has for its GPU is worth keeping: it suits the driver, and it is large.
has_own_torch() {
  "$1" - 2>/dev/null <<'PYTHON'
import sys
import torch
version = tuple(int(part) for part in torch.__version__.split("+")[0].split(".")[:2])
sys.exit(not (torch.cuda.is_available() and (2, 11) <= version < (2, 16)))
PYTHON
}

make_environment() {
  began=$SECONDS
  if [ -x "$venv/bin/python" ]; then
    is_new_enough "$venv/bin/python" || fail "the environment $venv has a Python older than 3.11" \
      "remove that folder and start again" "删除该目录后重新启动"
    say 2 "isolated environment 独立环境" "$venv"
    return
  fi
  local python sites=()
  python="$(find_python)"
  if has_own_torch "$python"; then sites=(--system-site-packages); fi
  "$python" -m venv "${sites[@]}" "$venv" || fail "the environment $venv could not be made" \
    "install the venv module (Debian, Ubuntu: sudo apt-get install python3-venv), check the rights of the folder" \
    "请安装 venv 模块(sudo apt-get install python3-venv),并检查目录权限"
  say 2 "isolated environment 独立环境" "$venv made 已建立"
}

wanted_stamp() {
  { cat "$here/constraints.txt" "$here/pyproject.toml"; "$venv/bin/python" -V; } |
    "$venv/bin/python" -c 'import hashlib, sys; print(hashlib.sha256(sys.stdin.buffer.read()).hexdigest())'
}

# An environment that was named, is complete and was not made by this folder's start.sh.
is_lent() {
  [ -n "${FLASHSIGHT_VENV:-}" ] && { [ ! -f "$stamp" ] || [ "$(tail -n 1 "$stamp")" != "$here" ]; } &&
    "$venv/bin/python" -c 'import torch, fastapi, typer' 2>/dev/null
}

pip_install() {
  "$venv/bin/python" -m pip install --quiet --disable-pip-version-check --prefer-binary "$@" >>"$FLASHSIGHT_STATE/setup.log" 2>&1 ||
    fail "packages could not be installed; $FLASHSIGHT_STATE/setup.log says: $(tail -n 3 "$FLASHSIGHT_STATE/setup.log")" \
      "check the network or the package index (pip config list), then start again" \
      "请检查网络或 pip 源(pip config list),然后重新启动"
}

install_dependencies() {
  began=$SECONDS
  local wanted
  wanted="$(wanted_stamp)"
  if [ -f "$stamp" ] && [ "$(cat "$stamp")" = "$wanted"$'\n'"$here" ]; then
    say 3 "dependencies 依赖" "unchanged 无变化"
    return
  fi
  if is_lent; then
    say 3 "dependencies 依赖" "the environment is used as it is 按现状使用"
    return
  fi
  mkdir -p "$FLASHSIGHT_STATE"
  : >"$FLASHSIGHT_STATE/setup.log"
  local constraints="$here/constraints.txt"
  if has_own_torch "$venv/bin/python"; then
    constraints="$FLASHSIGHT_STATE/constraints.txt"
    grep -v '^torch==' "$here/constraints.txt" >"$constraints"
  else
    pip_install -c "$constraints" "$(grep '^torch==' "$here/constraints.txt")"
  fi
  pip_install -c "$constraints" -e "$here"
  printf '%s\n%s\n' "$wanted" "$here" >"$stamp"
  say 3 "dependencies 依赖" "installed, nothing compiled 已安装,无需编译"
}

set_up() {
  check_gpu
  make_environment
  install_dependencies
}

flashsight() { exec "$venv/bin/python" -m flashsight "$@"; }

case "${1:-}" in
  -h | --help) usage ;;
  --setup) set_up ;;
  --foreground) shift; set_up; flashsight serve "$@" ;;
  stop | status | logs)
    [ -x "$venv/bin/python" ] || fail "nothing is set up here yet" "run ./start.sh" "请先运行 ./start.sh"
    flashsight "$@" ;;
  -* | "") set_up; flashsight serve --background --numbered "$@" ;;
  *) usage >&2; fail "unknown word: $1" "see the list above" "请看上面的列表" ;;
esac
