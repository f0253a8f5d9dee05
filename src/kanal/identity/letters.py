"""The e-mails that identity sends, in the language of whoever gets them."""

from __future__ import annotations

from kanal.identity.config import Identity
from kanal.identity.models import User
from kanal.identity.rules import Role
from kanal.kit.mail import Letter


def invitation(
    identity: Identity, *, to: str, locale: str, inviter: str, workspace: str, role: Role, link: str
) -> Letter:
    """``locale`` is the invited person's own when they have an account, else the workspace's."""

    def text(code: str) -> str:
        return identity.texts.text(
            locale,
            f"mail.invitation.{code}",
            inviter=inviter,
            workspace=workspace,
            role=identity.texts.text(locale, f"role.{role}"),
        )

    return Letter(
        kind="invitation",
        to=to,
        locale=locale,
        subject=text("subject"),
        paragraphs=[text("body"), text("expiry")],
        button=text("button"),
        link=link,
        footer=text("footer"),
    )


def reset(identity: Identity, user: User, secret: str) -> Letter:
    """The link to choose a new password."""

    def text(code: str) -> str:
        return identity.texts.text(user.locale, f"mail.reset.{code}", name=user.name)

    return Letter(
        kind="reset",
        to=user.email,
        locale=user.locale,
        subject=text("subject"),
        paragraphs=[text("greeting"), text("body"), text("expiry")],
        button=text("button"),
        link=identity.link(f"/reset-password/{secret}"),
        footer=text("footer"),
    )
