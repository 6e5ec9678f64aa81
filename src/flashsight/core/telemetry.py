"""Logs: one line per event, with the id of the request that it belongs to. Human in a terminal, JSON otherwise.

What people send stays out of the log: prompts, answers, pictures and secrets are replaced before a line is made,
whoever logs them and however deep they sit. Knows no HTTP and no setting; `configure_logging` is told.
"""

from __future__ import annotations

import logging
import re
import sys
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from typing import Any, Literal, TextIO

import structlog
from structlog.contextvars import bound_contextvars, get_contextvars, merge_contextvars
from structlog.typing import Processor

_SECRET_NAMES = re.compile(r"(^|_)(key|keys|token|secret|password|authorization|cookie)$", re.IGNORECASE)
_CONTENT_NAMES = frozenset(
    {"prompt", "question", "answer", "messages", "content", "text", "url", "image", "image_url", "picture", "body"}
)
_SECRET_TEXT = re.compile(r"\b(Bearer\s+|fs-)[A-Za-z0-9._~+/=-]{6,}")
_PICTURE_TEXT = re.compile(r"data:[\w.+-]*/?[\w.+-]*;base64,[A-Za-z0-9+/=_-]*")
MASK = "********"

Log = structlog.stdlib.BoundLogger


def get_log(name: str) -> Log:
    """The log of a module: `log = get_log(__name__)`, then `log.info("picture admitted", num_bytes=9)`."""
    log: Log = structlog.stdlib.get_logger(name)
    return log


@contextmanager
def bound_request(request_id: str) -> Iterator[None]:
    """Every line logged inside carries `request_id`, in this task and those it starts."""
    with bound_contextvars(request_id=request_id):
        yield


def current_request() -> str | None:
    """The id of the request that is being worked on here, if any."""
    value = get_contextvars().get("request_id")
    return value if isinstance(value, str) else None


def configure_logging(
    *, format: Literal["auto", "human", "json"] = "auto", level: str = "info", stream: TextIO | None = None
) -> None:
    """Send every log of the process, those of libraries too, to `stream` (standard error) as lines of one form."""
    target = stream or sys.stderr
    is_human = format == "human" or (format == "auto" and target.isatty())
    shared = _shared_processors(is_human=is_human)
    renderer: Processor = (
        structlog.dev.ConsoleRenderer(colors=target.isatty(), exception_formatter=structlog.dev.plain_traceback)
        if is_human
        else structlog.processors.JSONRenderer(ensure_ascii=False)
    )
    handler = logging.StreamHandler(target)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(
            foreign_pre_chain=shared,
            processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, renderer],
        )
    )
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level.upper())
    structlog.configure(
        processors=[structlog.stdlib.filter_by_level, *shared, structlog.stdlib.ProcessorFormatter.wrap_for_formatter],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )


def _shared_processors(*, is_human: bool) -> list[Processor]:
    chain: list[Processor] = [
        merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.stdlib.PositionalArgumentsFormatter(),
        structlog.stdlib.ExtraAdder(),
        structlog.processors.TimeStamper(fmt="%H:%M:%S" if is_human else "iso", utc=not is_human),
    ]
    if not is_human:
        chain.append(structlog.processors.format_exc_info)
    return [*chain, keep_private]


def keep_private(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Mask secrets and leave out what people sent. A structlog processor: the last before rendering."""
    for name, value in event.items():
        event[name] = _private(name, value)
    return event


def _private(name: str, value: Any) -> Any:
    if _SECRET_NAMES.search(name) and value is not None:
        return MASK
    if name in _CONTENT_NAMES and value is not None:
        return f"<{type(value).__name__} left out>"
    if isinstance(value, str):
        return _PICTURE_TEXT.sub("<picture left out>", _SECRET_TEXT.sub(MASK, value))
    if isinstance(value, bytes | bytearray | memoryview):
        return f"<{len(value)} bytes left out>"
    if isinstance(value, dict):
        return {inner: _private(str(inner), held) for inner, held in value.items()}
    if isinstance(value, list | tuple):
        return [_private("", held) for held in value]
    return value
