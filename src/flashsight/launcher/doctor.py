"""Looks at the machine and says what is there, what is missing and how to mend it. Changes nothing.

Each check is a function of the settings that returns findings; the order is that of the start steps.
"""

from __future__ import annotations

import os
import shutil
import socket
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from flashsight.core.config import Config, ModelConfig
from flashsight.core.errors import FlashSightError

Verdict = Literal["ok", "warn", "fail"]
GIB = 1 << 30
LEAST_FREE_DISK_BYTES = 2 * GIB
LEAST_FREE_MEMORY_BYTES = 2 * GIB


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """What a check saw. fix and fix_zh: what to do about it, in English and Chinese; empty when all is well."""

    check: str
    verdict: Verdict
    text: str
    fix: str = ""
    fix_zh: str = ""


def examine(config: Config) -> Iterator[Finding]:
    """Yield the findings one by one, as they are made."""
    checks: tuple[Callable[[Config], Iterator[Finding]], ...] = (
        _python,
        _gpu,
        _memory,
        _disk,
        _port,
        _model_files,
    )
    for check in checks:
        yield from check(config)


def _python(_: Config) -> Iterator[Finding]:
    version = ".".join(str(part) for part in sys.version_info[:3])
    is_isolated = sys.prefix != sys.base_prefix
    where = sys.prefix if is_isolated else "not in an isolated environment"
    yield Finding(
        check="python",
        verdict="ok" if is_isolated else "warn",
        text=f"Python {version}, {where}",
        fix="" if is_isolated else "start with ./start.sh, which makes an environment of its own",
        fix_zh="" if is_isolated else "用 ./start.sh 启动,它会建立独立环境",
    )


def _gpu(_: Config) -> Iterator[Finding]:
    gpus = list(_driver_gpus())
    import torch

    if not gpus:
        yield Finding(check="gpu", verdict="ok", text="no NVIDIA GPU; the CPU is used")
        return
    for text in gpus:
        yield Finding(check="gpu", verdict="ok", text=text)
    if torch.cuda.is_available():
        yield Finding(check="torch", verdict="ok", text=f"torch {torch.__version__} uses the GPU")
        return
    yield Finding(
        check="torch",
        verdict="warn",
        text=f"torch {torch.__version__} cannot use the GPU; the CPU is used",
        fix="install a CUDA build of torch within this project's range that suits the driver",
        fix_zh="安装与驱动匹配、且在本项目版本范围内的 CUDA 版 torch",
    )


def _driver_gpus() -> Iterator[str]:
    import pynvml

    try:
        pynvml.nvmlInit()
    except pynvml.NVMLError:
        return
    try:
        driver = pynvml.nvmlSystemGetDriverVersion()
        for index in range(pynvml.nvmlDeviceGetCount()):
            handle = pynvml.nvmlDeviceGetHandleByIndex(index)
            memory = pynvml.nvmlDeviceGetMemoryInfo(handle)
            name = pynvml.nvmlDeviceGetName(handle)
            free, total = int(memory.free) / GIB, int(memory.total) / GIB
            yield f"{name}, driver {driver}, {free:.1f} of {total:.1f} GiB free"
    except pynvml.NVMLError:
        yield "an NVIDIA driver that does not answer in full"
    finally:
        pynvml.nvmlShutdown()


def _memory(_: Config) -> Iterator[Finding]:
    import torch

    from flashsight.engine.device import measure_memory

    memory = measure_memory(torch.device("cpu"))
    is_enough = memory.free_bytes >= LEAST_FREE_MEMORY_BYTES
    yield Finding(
        check="memory",
        verdict="ok" if is_enough else "warn",
        text=f"{memory.free_bytes / GIB:.1f} of {memory.total_bytes / GIB:.1f} GiB free, {os.cpu_count()} CPUs",
        fix="" if is_enough else "close other programs, or set kv_memory and picture_memory lower",
        fix_zh="" if is_enough else "关闭其他程序,或调低 kv_memory 和 picture_memory",
    )


def _disk(_: Config) -> Iterator[Finding]:
    free_bytes = shutil.disk_usage(Path.cwd()).free
    is_enough = free_bytes >= LEAST_FREE_DISK_BYTES
    yield Finding(
        check="disk",
        verdict="ok" if is_enough else "warn",
        text=f"{free_bytes / GIB:.1f} GiB free here",
        fix="" if is_enough else f"free at least {LEAST_FREE_DISK_BYTES // GIB} GiB for packages and logs",
        fix_zh="" if is_enough else f"至少腾出 {LEAST_FREE_DISK_BYTES // GIB} GiB 空间",
    )


def _port(config: Config) -> Iterator[Finding]:
    from flashsight.launcher.address import listen
    from flashsight.launcher.background import running, state_folder

    host, port = config.server.host, config.server.port
    try:
        listen(host, port).close()
    except FlashSightError as error:
        record = running(state_folder())
        if record is not None and record.url.endswith(f":{port}"):
            yield Finding(check="port", verdict="ok", text=f"{host}:{port} is our own running service's")
            return
        yield Finding(
            check="port",
            verdict="fail",
            text=error.message,
            fix=f"flashsight serve --port {_free_port()}",
            fix_zh=f"换一个端口:flashsight serve --port {_free_port()}",
        )
        return
    yield Finding(check="port", verdict="ok", text=f"{host}:{port} is free")


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as probe:
        return int(probe.getsockname()[1])


def _model_files(config: Config) -> Iterator[Finding]:
    from flashsight.models.glm4v.config import read_config
    from flashsight.models.loading import checkpoint_folder
    from flashsight.models.storage import verify_files

    try:
        folder = checkpoint_folder(config.model)
        read_config(folder)
        problems = [] if config.model.load_format == "dummy" else verify_files(folder)
    except FlashSightError as error:
        problems = [error.message]
    for problem in problems:
        yield Finding(
            check="model",
            verdict="fail",
            text=problem,
            fix="copy or download the checkpoint again, or point --model-path at another",
            fix_zh="重新拷贝或下载模型文件,或用 --model-path 指向其他目录",
        )
    if not problems:
        yield Finding(check="model", verdict="ok", text=f"{config.model.path}: {_whole(config.model, folder)}")


def _whole(model: ModelConfig, folder: Path) -> str:
    if model.load_format == "dummy":
        return "random weights (dummy)"
    num_bytes = sum(path.stat().st_size for path in folder.glob("*.safetensors"))
    has_manifest = (folder / "manifest.json").is_file()
    return f"weights whole, {num_bytes / 1e6:,.1f} MB ({'every hash' if has_manifest else 'headers and sizes'} checked)"
