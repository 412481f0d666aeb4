"""The one family of errors, split by whose fault they are; each class carries its HTTP status.

Raise the leaf that says what happened. Three places translate and nothing else does: the gateway
maps an error to an HTTP answer, the wire carries `code` and the fields across processes
(`from_code` rebuilds the class on the other side), and the CLI prints the message.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar


class KronkError(Exception):
    """The base; never raised itself.

    `param` names the request field or setting at fault. `retry_after` is in seconds, for errors
    that pass by themselves.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal"
    # What OpenAI's clients read as the error's `type`.
    type: ClassVar[str] = "server_error"

    def __init__(
        self, message: str, *, param: str | None = None, retry_after: float | None = None
    ) -> None:
        super().__init__(message)
        self.message = message
        self.param = param
        self.retry_after = retry_after


class CallerError(KronkError):
    """The request, setting or file is wrong; sending it again changes nothing."""

    status = 400
    code = "invalid_argument"
    type = "invalid_request_error"


class ServerError(KronkError):
    """The request was fine; Kronk, a worker or the machine could not serve it."""


class InvalidArgument(CallerError):
    """A field of a request, a flag, a key of a YAML file or a model file is not acceptable."""


class ContextLengthExceeded(CallerError):
    """The prompt does not fit the model's context window; the message gives both numbers."""

    code = "context_length_exceeded"


class Unauthenticated(CallerError):
    """Who asks is not known: no token, or one that is not good. `reason` is for the log only: who
    asks is told as little as possible."""

    status = 401
    code = "unauthenticated"
    type = "authentication_error"

    def __init__(self, message: str = "invalid token", *, reason: str | None = None) -> None:
        super().__init__(message)
        self.reason = reason


class PermissionDenied(CallerError):
    """Who asks is known, and may not do this."""

    status = 403
    code = "permission_denied"
    type = "permission_error"


class RateLimited(CallerError):
    """Who asks has used up what the token grants; the message says which limit, and until when.

    `headers` go out with the answer.
    """

    status = 429
    code = "rate_limited"
    type = "rate_limit_error"

    def __init__(
        self,
        message: str = "rate limit exceeded",
        *,
        param: str | None = None,
        retry_after: float | None = None,
        headers: Mapping[str, str] | None = None,
    ) -> None:
        super().__init__(message, param=param, retry_after=retry_after)
        self.headers = dict(headers or {})


class NotFound(CallerError):
    """No such model, route or object."""

    status = 404
    code = "not_found"


class MethodNotAllowed(CallerError):
    """The path exists, but not for this HTTP method."""

    status = 405
    code = "method_not_allowed"


class Conflict(CallerError):
    """The thing exists already, or its state does not allow the change."""

    status = 409
    code = "conflict"


class TooLarge(CallerError):
    """The body or frame is over its size limit; the message gives the limit."""

    status = 413
    code = "too_large"


class Overloaded(ServerError):
    """Every slot and every waiting place is taken, or the server is draining. Passes by itself."""

    status = 503
    code = "overloaded"
    type = "overloaded_error"


class ModelFailed(ServerError):
    """The model cannot be loaded; the message says why. Retried only after `retry_after`."""

    status = 503
    code = "model_failed"


class ModelCrashed(ServerError):
    """The process serving this request died; the message names the cause.

    What was already streamed stands; the rest will not come.
    """

    status = 503
    code = "model_crashed"


class ModelUnloaded(Overloaded):
    """The process of the model was ended, as an operator wanted, with this request on it or waiting
    for it. The next one loads the model again."""

    code = "model_unloaded"


class InsufficientMemory(ServerError):
    """The model does not fit into the memory budget, however empty it is; the message has the
    numbers and what to change."""

    status = 507
    code = "insufficient_memory"


class PromptQuarantined(CallerError):
    """The process of the model has died of this request again and again; it is not tried any more
    for a while. Not 5xx: clients would send it again."""

    status = 422
    code = "prompt_quarantined"


class Timeout(ServerError):
    """A bounded wait ran out; the message says which."""

    status = 504
    code = "timeout"
    type = "timeout_error"


class Internal(ServerError):
    """A bug of ours. The log has the traceback."""


class WireError(ServerError):
    """A frame between our processes could not be read; the message names its field."""

    code = "wire"


_BY_CODE: dict[str, type[KronkError]] = {
    cls.code: cls
    for cls in (
        InvalidArgument,
        ContextLengthExceeded,
        PermissionDenied,
        RateLimited,
        NotFound,
        MethodNotAllowed,
        Conflict,
        TooLarge,
        Overloaded,
        ModelFailed,
        ModelCrashed,
        ModelUnloaded,
        InsufficientMemory,
        PromptQuarantined,
        Timeout,
        Internal,
    )
}


def is_server_fault(code: str) -> bool:
    """Whether an error of that code is ours, so that nobody is charged for it."""
    return issubclass(_BY_CODE.get(code, CallerError), ServerError)


def from_code(
    code: str, message: str, param: str | None = None, retry_after: float | None = None
) -> KronkError:
    """Rebuild the error another process reported; a code nobody knows becomes `Internal`."""
    if code == Unauthenticated.code:
        return Unauthenticated(message)
    return _BY_CODE.get(code, Internal)(message, param=param, retry_after=retry_after)
