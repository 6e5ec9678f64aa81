"""The one road from a conversation to an answer, used by every row above. Knows no HTTP."""

from flashsight.service.backend import ChatBackend, PictureGate, PromptReader
from flashsight.service.chat import Answer, ChatObserver, ChatService, Choice, Outcome
from flashsight.service.readiness import Readiness, Serving

__all__ = [
    "Answer",
    "ChatBackend",
    "ChatObserver",
    "ChatService",
    "Choice",
    "Outcome",
    "PictureGate",
    "PromptReader",
    "Readiness",
    "Serving",
]
