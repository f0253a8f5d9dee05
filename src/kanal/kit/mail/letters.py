"""A letter and its two forms: plain text, and HTML that any mail program shows."""

from __future__ import annotations

from email.message import EmailMessage
from email.utils import formatdate, parseaddr
from html import escape

import msgspec


class Letter(msgspec.Struct, frozen=True, kw_only=True):
    """One e-mail to one person, already in their language. ``kind`` names what it is about (``invitation``)."""

    kind: str
    to: str
    subject: str
    locale: str = "en"
    paragraphs: list[str] = []
    button: str | None = None
    link: str | None = None
    footer: str | None = None

    def without_content(self) -> Letter:
        """What may be kept after it was sent."""
        return Letter(kind=self.kind, to=self.to, subject=self.subject, locale=self.locale)


def as_text(letter: Letter) -> str:
    parts = [*letter.paragraphs]
    if letter.link:
        parts.append(f"{letter.button}:\n{letter.link}" if letter.button else letter.link)
    if letter.footer:
        parts.append(f"-- \n{letter.footer}")
    return "\n\n".join(parts) + "\n"


_FONT = "font-family:system-ui,-apple-system,'Segoe UI',Roboto,'Noto Sans','Noto Sans JP',sans-serif"
_PAGE = (
    '<!doctype html><html lang="{lang}"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width">'
    '<title>{title}</title></head><body style="margin:0;padding:24px;background:#f4f5f7;{font}">'
    '<div style="max-width:520px;margin:0 auto;padding:32px;background:#ffffff;border-radius:12px;color:#1a1d21;'
    'font-size:16px;line-height:1.55">{body}</div></body></html>'
)
_BUTTON = (
    '<p style="margin:28px 0"><a href="{link}" style="display:inline-block;padding:12px 22px;border-radius:8px;'
    'background:#1f5eff;color:#ffffff;text-decoration:none;font-weight:600">{button}</a></p>'
    '<p style="margin:0 0 16px;font-size:13px;color:#5b6270;word-break:break-all">{link}</p>'
)


def as_html(letter: Letter) -> str:
    """Every text is escaped: names in it were chosen by strangers."""
    body = "".join(f'<p style="margin:0 0 16px">{escape(paragraph)}</p>' for paragraph in letter.paragraphs)
    if letter.link:
        body += _BUTTON.format(link=escape(letter.link), button=escape(letter.button or letter.link))
    if letter.footer:
        body += f'<p style="margin:24px 0 0;font-size:13px;color:#5b6270">{escape(letter.footer)}</p>'
    return _PAGE.format(lang=escape(letter.locale), title=escape(letter.subject), font=_FONT, body=body)


def as_message(letter: Letter, *, sender: str, message_id: str) -> EmailMessage:
    """The message to send. A repeated sending carries the same ``message_id``, by which receivers drop the second copy."""
    message = EmailMessage()
    message["From"] = sender
    message["To"] = letter.to
    message["Subject"] = " ".join(letter.subject.split())
    message["Date"] = formatdate(usegmt=True)
    domain = parseaddr(sender)[1].partition("@")[2] or "localhost"
    message["Message-ID"] = f"<{message_id}@{domain}>"
    message["Content-Language"] = letter.locale
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834: vacation responders stay silent
    message.set_content(as_text(letter))
    message.add_alternative(as_html(letter), subtype="html")
    return message
