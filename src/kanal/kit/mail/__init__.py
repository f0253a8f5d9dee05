"""Outgoing e-mail: a letter is stored and its sending is a job, both in the transaction of what the letter is about.

Without an SMTP server the link goes to the log and to the operator's page, so that nobody is locked out of a small
installation. What a letter says is sealed at rest, and forgotten once it has been sent.
"""

from kanal.kit.mail.letters import Letter
from kanal.kit.mail.mailer import PERIODIC, Mailer, SentMail
from kanal.kit.mail.models import Mail
from kanal.kit.mail.smtp import SmtpServer

__all__ = ["PERIODIC", "Letter", "Mail", "Mailer", "SentMail", "SmtpServer"]
