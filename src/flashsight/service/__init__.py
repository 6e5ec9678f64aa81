"""The one road from a conversation to an answer, used by every row above. Knows no HTTP."""

from flashsight.service.backend import ChatBackend, PictureGate, PictureReader, PromptReader
from flashsight.service.chat import Answer, ChatObserver, ChatService, Choice, Outcome
from flashsight.service.library import Library, LibraryObserver
from flashsight.service.pace import Estimate, Pace
from flashsight.service.readiness import Readiness, Serving
from flashsight.service.shelf import FileStatus, Purpose, StoredFile

__all__ = [
    "Answer",
    "ChatBackend",
    "ChatObserver",
    "ChatService",
    "Choice",
    "Estimate",
    "FileStatus",
    "Library",
    "LibraryObserver",
    "Outcome",
    "Pace",
    "PictureGate",
    "PictureReader",
    "PromptReader",
    "Purpose",
    "Readiness",
    "Serving",
    "StoredFile",
]
