"""Policies in plain Python: who may ask. Knows no HTTP, no picture and no model."""

from flashsight.guard.access import AccessPolicy

__all__ = ["AccessPolicy"]
