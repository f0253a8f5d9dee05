"""Every table of Kanal, imported so that the metadata is complete."""

from __future__ import annotations

import kanal.files.models
import kanal.identity.models
import kanal.kit.events.models
import kanal.kit.jobs.models
import kanal.kit.mail.models
import kanal.kit.throttle
import kanal.realtime.models
import kanal.rooms.models  # noqa: F401
from kanal.kit.db import Base

metadata = Base.metadata
