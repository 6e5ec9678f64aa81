"""The error tree. Knows no HTTP: one place in `server` maps these classes to statuses.

FlashSightError
├── ConfigError          a setting is unknown, malformed or contradicts another
├── CheckpointError      model files are missing, damaged or of another architecture
├── RequestError         the request is at fault; sending it again unchanged cannot help
│   ├── PictureError     a picture cannot be read or lies outside the limits
│   │   └── UnreadablePicture   its bytes cannot be decoded; carries its key, as several requests may wait for it
│   ├── PromptTooLong    more tokens than the context or the cache can hold
│   ├── OptionRefused    a field of the protocol that this server does not honour, by name
│   ├── SchemaError      a JSON schema, regex or choice that cannot be compiled
│   ├── ModelNotFound    the request names a model that is not served
│   ├── FileNotFound     the request names a file that this caller has not uploaded, or not any more
│   └── BodyTooLarge     the request body exceeds its limit
├── AccessError          the caller is not who it must be
│   ├── KeyRequired      no or a wrong API key
│   └── Forbidden        a good key without the right
├── Overloaded           no room now; carries the seconds after which to come back
├── NotReady             the model is still loading
└── EngineFault          our own failure; the text never carries a cause from inside
"""

from __future__ import annotations


class FlashSightError(Exception):
    """Base of every error that has a sentence for the user.

    `code` is a stable machine word (the page translates by it); `param` names the field of the request at fault.
    The message says what was wrong, what the limit is and what to do; it never carries a library's own text.
    """

    code: str = "internal_error"

    def __init__(self, message: str, *, code: str | None = None, param: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.code = code or type(self).code
        self.param = param


class ConfigError(FlashSightError):
    """A setting is unknown, malformed or contradicts another."""

    code = "bad_setting"


class CheckpointError(FlashSightError):
    """Model files are missing, damaged or of another architecture."""

    code = "bad_checkpoint"


class RequestError(FlashSightError):
    """The request is at fault."""

    code = "invalid_request"


class PictureError(RequestError):
    """A picture cannot be read or lies outside the limits."""

    code = "invalid_image"


class UnreadablePicture(PictureError):
    """A picture's bytes cannot be decoded. `key` is its PictureKey: whoever waits for it knows his own field's name."""

    def __init__(self, message: str, *, key: str, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.key = key


class PromptTooLong(RequestError):
    """More tokens than the context or the cache can hold."""

    code = "context_length_exceeded"


class OptionRefused(RequestError):
    """A field of the protocol that this server does not honour."""

    code = "unsupported_option"


class SchemaError(RequestError):
    """A JSON schema, regex or choice that cannot be compiled."""

    code = "invalid_schema"


class ModelNotFound(RequestError):
    """The request names a model that is not served."""

    code = "model_not_found"


class FileNotFound(RequestError):
    """The request names a file that this caller has not uploaded, or not any more."""

    code = "file_not_found"


class BodyTooLarge(RequestError):
    """The request body exceeds its limit."""

    code = "body_too_large"


class AccessError(FlashSightError):
    """The caller is not who it must be."""

    code = "access_denied"


class KeyRequired(AccessError):
    """No API key, or a wrong one."""

    code = "invalid_api_key"


class Forbidden(AccessError):
    """A good key without the right to this."""

    code = "forbidden"


class Overloaded(FlashSightError):
    """No room now."""

    code = "overloaded"

    def __init__(self, message: str, *, retry_after_seconds: float, code: str | None = None) -> None:
        super().__init__(message, code=code)
        self.retry_after_seconds = retry_after_seconds


class NotReady(FlashSightError):
    """The model is still loading."""

    code = "model_loading"


class EngineFault(FlashSightError):
    """Our own failure."""

    code = "internal_error"
