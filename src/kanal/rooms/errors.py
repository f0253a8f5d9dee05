"""What can go wrong in rooms."""

from __future__ import annotations

from kanal.kit.errors import KanalError, Kind, conflict, field_error, forbidden, not_found, unprocessable


def room_not_found() -> KanalError:
    """Also for a private room of others: its existence is nobody's business."""
    return not_found("room")


def message_not_found() -> KanalError:
    return not_found("message")


def not_a_member() -> KanalError:
    return forbidden("room.not_member")


def archived() -> KanalError:
    return conflict("room.archived")


def name_taken() -> KanalError:
    return conflict("room.name_taken")


def direct_is_fixed() -> KanalError:
    return conflict("room.direct_fixed")


def last_owner() -> KanalError:
    return conflict("room.last_owner")


def unknown_members() -> KanalError:
    return unprocessable("room.unknown_members", fields={"user_ids": "room.unknown_members"})


def empty_message() -> KanalError:
    return field_error("body", "message.empty")


def message_too_long(limit: int) -> KanalError:
    return field_error("body", "message.too_long", limit=limit)


def edit_window_over() -> KanalError:
    return conflict("message.edit_window")


def message_deleted() -> KanalError:
    return conflict("message.deleted")


def not_own_message() -> KanalError:
    return forbidden("message.not_own")


def bad_parent() -> KanalError:
    return field_error("parent_id", "message.bad_parent")


def bad_quote() -> KanalError:
    return field_error("quote_id", "message.bad_quote")


def bad_emoji() -> KanalError:
    return unprocessable("message.bad_emoji")


def too_many_reactions() -> KanalError:
    return conflict("message.too_many_reactions")


def search_too_short() -> KanalError:
    return field_error("q", "search.too_short")


def member_not_found() -> KanalError:
    return KanalError("room.member_not_found", Kind.NOT_FOUND)


def too_many_rooms(limit: int) -> KanalError:
    return conflict("plan.rooms_reached", limit=limit)


def blank_name() -> KanalError:
    return field_error("name", "field.blank")


def too_long(field: str, limit: int) -> KanalError:
    return field_error(field, "field.too_long", limit=limit)
