"""What can go wrong with files."""

from __future__ import annotations

from kanal.files.rules.names import human_size
from kanal.kit.errors import KanalError, Kind, not_found, unprocessable

RETRY_STORAGE = 5  # seconds


def file_not_found() -> KanalError:
    """Unknown, another workspace's, or not for this person: which of them is nobody's business."""
    return not_found("file")


def empty() -> KanalError:
    return unprocessable("file.empty", fields={"file": "file.empty"})


def too_large(limit: int) -> KanalError:
    return KanalError("file.too_large", Kind.TOO_LARGE, params={"limit": human_size(limit)})


def bad_form(code: str = "field.invalid", field: str = "file") -> KanalError:
    """Not a form with one file in it."""
    return KanalError("request.invalid", Kind.INVALID, fields={field: code})


def unavailable(field: str) -> KanalError:
    """Somebody attaches a file that they have not uploaded, or that is gone."""
    return unprocessable("file.unavailable", fields={field: "file.unavailable"})


def already_attached(field: str) -> KanalError:
    """A file has one place; it is uploaded again for another."""
    return KanalError("file.attached", Kind.CONFLICT, fields={field: "file.attached"})


def storage_failed() -> KanalError:
    return KanalError("file.storage_unavailable", Kind.UNAVAILABLE, retry_after=RETRY_STORAGE)


class NotAPictureError(Exception):
    """The content cannot be decoded as what its first bytes promise, or would take too much memory."""
