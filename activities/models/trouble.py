"""What goes wrong on the way to a model and back, as categories that a plan knows."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

import httpx2

from activities.failing import Failing
from activities.models.hearing import Hearing
from activities.models.protocol import Spoiled

# A server that wants us to wait for longer than this is not taken at its word.
LONGEST_WAIT_MS = 24 * 60 * 60 * 1000
# Characters of what a server says that are looked at; a failure cuts them shorter once the key is out of them.
_MOST = 16_000
_CONTEXT = re.compile(r"context[ _-]?(length|size|window|limit)|prompt is too long|inputs?`? tokens", re.IGNORECASE)
# An error in the middle of an answer has a word where another one has a status.
_STATUS = {
    "invalid_request_error": 400, "exceed_context_size_error": 400, "BadRequestError": 400,
    "authentication_error": 401, "billing_error": 402, "permission_error": 403, "not_found_error": 404,
    "timeout_error": 408, "request_too_large": 413, "rate_limit_error": 429, "rate_limit_exceeded": 429,
    "overloaded_error": 529,
}  # fmt: skip
# Words that say more than the status that they come with.
_CATEGORY = {
    "insufficient_quota": "denied", "model_not_found": "engine",
    "content_filter": "refusal", "content_policy_violation": "refusal",
}  # fmt: skip


class Complaint(Exception):
    """An error that a server tells in the middle of its answer."""

    def __init__(self, body: object) -> None:
        self.body = body


@dataclass(frozen=True)
class Trouble:
    """`answered` where the server has said something, though it is no answer."""

    category: str
    message: str
    retry_after_ms: int | None = None
    answered: bool = False


@contextmanager
def told(hearing: Hearing, key: str | None) -> Iterator[None]:
    """Raises `Failing` with what was used so far for all that goes wrong, unless the answer was whole before.

    Nothing of the error itself goes with it, and no message holds the key.
    """
    try:
        yield
    except Failing:
        raise
    except Exception as error:
        found = trouble(error)
        if found is None:
            raise
        if hearing.finish is not None:
            return
        message = f"{hearing.where}: {found.message}"
        if key:
            message = message.replace(key, "…")
        usage, after = hearing.usage(), found.retry_after_ms
        raise Failing(found.category, message, retry_after_ms=after, usage=usage, answered=found.answered) from None


def trouble(error: BaseException) -> Trouble | None:
    """What an error means; None for one that is a mistake of ours."""
    match error:
        case Spoiled():
            return Trouble("unavailable", str(error), answered=True)
        case httpx2.HTTPStatusError():
            return _refused(error.response, _json(error.response.text))
        case httpx2.ReadTimeout() | httpx2.WriteTimeout():
            return Trouble("timeout", "it was silent for too long")
        case httpx2.RequestError() | OSError():
            return Trouble("unavailable", f"{type(error).__name__}: {error}".rstrip(": "))
    found = trouble(error.__cause__) if error.__cause__ is not None else None
    if found is None and hasattr(error, "body"):
        return _refused(getattr(error, "response", None), error.body)
    return found


def _refused(response: httpx2.Response | None, body: object) -> Trouble:
    words, said = _complaint(body)
    status = response.status_code if response is not None and not response.is_success else _status(words)
    category = next((_CATEGORY[word] for word in words if word in _CATEGORY), "")
    # Limits of a rate speak of input tokens, too.
    if not category and status in (400, 422) and _CONTEXT.search(" ".join([*words, said])):
        category = "context"
    message = " ".join([str(status), *dict.fromkeys(words)]) + (f": {said}" if said else "")
    wait = wait_ms(response.headers) if response is not None else None
    return Trouble(category or _by_status(status), message, wait, answered=True)


def _by_status(status: int) -> str:
    match status:
        case 401 | 402 | 403:
            return "denied"
        case 404 | 405:
            return "engine"
        case 408:
            return "timeout"
        case 409 | 425:
            return "unavailable"
        case 413:
            return "context"
        case 429:
            return "rate_limited"
    # Whoever redirects what holds a key and a prompt is not the server that was meant.
    return "engine" if status < 400 else "input" if status < 500 else "unavailable"


def _complaint(body: object) -> tuple[list[str], str]:
    """The words for a kind of error, and the sentence."""
    if isinstance(body, Mapping):
        inner = body.get("error") or body
        if isinstance(inner, Mapping):
            words = [inner.get("type"), inner.get("code"), inner.get("error_type")]
            said = inner.get("message") or inner.get("detail") or inner.get("error") or ""
        else:
            words, said = [body.get("error_type")], inner
    else:
        words, said = [], body or ""
    shown = [str(word) for word in words if isinstance(word, str | int)]
    return shown, " ".join(said[:_MOST].split()) if isinstance(said, str) else ""


def _status(words: list[str]) -> int:
    for word in words:
        if word in _STATUS:
            return _STATUS[word]
        if word.isdecimal() and 400 <= int(word) < 600:
            return int(word)
    return 500


def _json(text: str) -> object:
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return text


def wait_ms(headers: Mapping[str, str]) -> int | None:
    """What `Retry-After` says, in seconds or as a date by the server's own clock, or its cousin in milliseconds."""
    said = headers.get("retry-after", "")
    wait = _number(headers.get("retry-after-ms", ""), 1)
    if wait is None:
        wait = _number(said, 1000)
    if wait is None and (until := _date(said)) is not None:
        now = _date(headers.get("date", "")) or datetime.now(UTC)
        wait = (until - now).total_seconds() * 1000
    return None if wait is None else max(0, int(min(wait, LONGEST_WAIT_MS)))


def _number(text: str, unit: int) -> float | None:
    return float(text) * unit if re.fullmatch(r"\s*[0-9]{1,18}(\.[0-9]{1,18})?\s*", text) else None


def _date(text: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(text)
    except (ValueError, OverflowError):
        return None
    return found if found.tzinfo else found.replace(tzinfo=UTC)
