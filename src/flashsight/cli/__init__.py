"""Commands: the only place that prints. Every command starts light; what it needs is imported when it runs."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line; the exit status says how it went (see `flashsight --help`)."""
    try:
        from flashsight.cli.app import run
    except KeyboardInterrupt:
        sys.exit(130)  # as `run` does later
    run()


__all__ = ["main"]
