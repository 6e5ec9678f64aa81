"""Commands: the only place that prints. Every command starts light; what it needs is imported when it runs."""

from __future__ import annotations


def main() -> None:
    """Run the command line; the exit status says how it went (see `flashsight --help`)."""
    from flashsight.cli.app import run

    run()


__all__ = ["main"]
