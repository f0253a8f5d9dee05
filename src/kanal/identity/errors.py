"""The refusals of this domain that more than one place raises."""

from __future__ import annotations

from kanal.kit.errors import KanalError, Kind


def sign_in_required() -> KanalError:
    """Nothing was presented."""
    return KanalError("auth.required", Kind.UNAUTHENTICATED)


def session_expired() -> KanalError:
    """A cookie was presented that stands for no sign-in (any more)."""
    return KanalError("auth.session_expired", Kind.UNAUTHENTICATED)


def invalid_token() -> KanalError:
    """A bearer token was presented that is unknown, revoked or past its date."""
    return KanalError("auth.invalid_token", Kind.UNAUTHENTICATED)


def invalid_credentials() -> KanalError:
    """The same for an unknown address and for a wrong password."""
    return KanalError("auth.invalid_credentials", Kind.UNAUTHENTICATED)


def csrf_failed() -> KanalError:
    """A request that another site may have made the browser send."""
    return KanalError("csrf.failed", Kind.FORBIDDEN)


def email_taken() -> KanalError:
    return KanalError("auth.email_taken", Kind.CONFLICT, fields={"email": "auth.email_taken"})


def invitation_gone() -> KanalError:
    """Unknown, used, withdrawn or too old: the difference is nobody's business."""
    return KanalError("invitation.not_found", Kind.NOT_FOUND)
