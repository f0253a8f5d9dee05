"""The event log: every change writes its event in the same transaction as the data.

After the commit the process publishes at once; the relay repeats what a crash or a dead broker left behind; clients
catch up from the same rows. Events carry the new state and its version, so applying one twice or late does no harm.
"""

from kanal.kit.events.catalogue import CATALOGUE, EventType
from kanal.kit.events.log import StoredEvent, react_to, record, revoke, store_pending, terminate
from kanal.kit.events.models import Event

__all__ = [
    "CATALOGUE",
    "Event",
    "EventType",
    "StoredEvent",
    "react_to",
    "record",
    "revoke",
    "store_pending",
    "terminate",
]
