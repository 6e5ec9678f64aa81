"""What the commands share at the terminal: an error's look, exit statuses, a line that says what goes on."""

from __future__ import annotations

from rich.console import Console
from rich.text import Text

from flashsight.core.errors import AccessError, ConfigError, FlashSightError, RequestError

EXIT_FAILED, EXIT_USAGE, EXIT_REFUSED, EXIT_UNREACHABLE, EXIT_INTERRUPTED = 1, 2, 3, 4, 130

EXIT_BY_ERROR: tuple[tuple[type[FlashSightError], int], ...] = (
    (ConfigError, EXIT_USAGE),
    (RequestError, EXIT_REFUSED),
    (AccessError, EXIT_REFUSED),
)


def to_stderr() -> Console:
    """A console for what is not the answer itself."""
    return Console(stderr=True, highlight=False, soft_wrap=True)


def show_error(error: FlashSightError) -> None:
    """Say what went wrong on standard error, in the error's own sentence."""
    to_stderr().print(Text.assemble(("error 错误: ", "bold red"), error.message))


def exit_status(error: FlashSightError) -> int:
    """The exit status of a process that ends by this error."""
    if error.code == "server_unreachable":
        return EXIT_UNREACHABLE
    return next((status for kind, status in EXIT_BY_ERROR if isinstance(error, kind)), EXIT_FAILED)
