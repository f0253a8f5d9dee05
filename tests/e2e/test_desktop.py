"""Where the page meets the desktop: the clipboard, files dragged in, notifications. F-RO-02, F-RO-05."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Locator, expect

from tests.e2e.conftest import Open
from tests.e2e.person import Person
from tests.e2e.waiting import comes_to

Room = Callable[..., str]

COPY_A_PICTURE = """async () => {
    const canvas = new OffscreenCanvas(640, 360)
    canvas.getContext('2d').fillRect(20, 20, 300, 200)
    const picture = await canvas.convertToBlob({ type: 'image/png' })
    await navigator.clipboard.write([new ClipboardItem({ 'image/png': picture })])
}"""

# The browser's own notifications, and a list of them.
KEEP_NOTIFICATIONS = """
    window.shown = []
    window.Notification = class extends window.Notification {
        constructor(title, options) {
            super(title, options)
            window.shown.push(this)
        }
    }
"""


def test_a_picture_is_pasted_from_the_clipboard(open_browser: Open, room_of: Room) -> None:
    """F-RO-05: it waits beside the text, can be taken out, and goes with the message."""
    room = room_of("sari", "budi")
    sari = open_browser("sari", permissions=["clipboard-read", "clipboard-write"]).enter(room)
    budi = open_browser("budi").enter(room)
    tray = sari.page.get_by_role("list", name="Attached files")
    sari.page.evaluate(COPY_A_PICTURE)
    sari.composer.fill("As seen ")
    for _ in range(2):
        sari.composer.press("Control+v")
    expect(tray.get_by_role("listitem")).to_have_count(2)
    expect(sari.composer).to_have_value("As seen ")
    tray.get_by_role("button", name="Remove image.png").first.click()
    expect(tray.get_by_role("listitem")).to_have_count(1)
    sari.composer.press_sequentially("from the door")
    sari.composer.press("Enter")
    tile = budi.message("As seen from the door").get_by_role("button", name="Open picture image.png")
    expect(tile.get_by_role("img")).to_have_js_property("complete", value=True)
    (file,) = budi.api.messages(room)[-1]["attachments"]
    assert (file["width"], file["height"], file["content_type"]) == (640, 360, "image/png")


def _drag(person: Person, files: list[Path], over: Locator, *steps: str) -> None:
    """What the desktop does with files over the middle of something."""
    box = over.bounding_box()
    assert box is not None
    where = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
    data = {"items": [], "files": [str(file) for file in files], "dragOperationsMask": 1}
    desktop = person.context.new_cdp_session(person.page)
    for step in steps:
        desktop.send("Input.dispatchDragEvent", {"type": step, **where, "data": data})
    desktop.detach()


def test_files_are_dropped_on_a_room(open_browser: Open, room_of: Room, tmp_path: Path) -> None:
    """F-RO-05: the room says that it takes them; a drag that goes away leaves nothing."""
    room = room_of("sari", "budi", called="drop zone")
    sari, budi = open_browser("sari").enter(room), open_browser("budi").enter(room)
    files = [tmp_path / "menu.csv", tmp_path / "hours.txt"]
    for file in files:
        file.write_text(f"what {file.name} says\n")
    hint = sari.page.get_by_text("Drop to send to drop zone")
    tray = sari.page.get_by_role("list", name="Attached files").get_by_role("listitem")
    _drag(sari, files, sari.log, "dragEnter", "dragOver")
    expect(hint).to_be_visible()
    _drag(sari, files, sari.room_list, "dragOver")
    expect(hint).to_have_count(0)
    expect(tray).to_have_count(0)
    _drag(sari, files, sari.log, "dragOver", "drop")
    expect(hint).to_have_count(0)
    expect(tray).to_have_count(2)
    sari.say("For the door")
    link = budi.message("For the door").get_by_role("link", name=re.compile("menu.csv"))
    with budi.page.expect_download() as download:
        link.click()
    assert download.value.path().read_text() == "what menu.csv says\n"
    assert [one["name"] for one in budi.api.messages(room)[-1]["attachments"]] == ["menu.csv", "hours.txt"]


@contextmanager
def _looking_elsewhere(person: Person) -> Iterator[None]:
    """Another tab has the focus."""
    focus = person.context.new_cdp_session(person.page)
    focus.send("Emulation.setFocusEmulationEnabled", {"enabled": False})
    other = person.context.new_page()
    other.bring_to_front()
    comes_to(lambda: person.page.evaluate("document.hasFocus()"), wanted=False)
    yield
    other.close()
    person.page.bring_to_front()
    focus.send("Emulation.setFocusEmulationEnabled", {"enabled": True})
    comes_to(lambda: person.page.evaluate("document.hasFocus()"), wanted=True)
    focus.detach()


def _notifications(person: Person) -> list[tuple[str, str]]:
    return [tuple(one) for one in person.page.evaluate("shown.map((one) => [one.title, one.body])")]


def test_a_mention_in_another_room_is_notified_and_a_click_leads_there(open_browser: Open, room_of: Room) -> None:
    """F-RO-02: once, with who and where; nothing of what is said in a room that is looked at."""
    room = room_of("sari", "budi", called="alarms")
    budi = open_browser("budi", permissions=["notifications"])
    budi.page.add_init_script(KEEP_NOTIFICATIONS)
    budi.enter(room_of("budi", called="somewhere quiet"))
    sari = open_browser("sari").enter(room)
    with _looking_elsewhere(budi):
        sari.api.say(room, f"<@{budi.api.id}> the **freezer** is open")
        comes_to(lambda: _notifications(budi), [("Sari Wulandari · alarms", "@Budi Santoso the freezer is open")])
    budi.page.evaluate("shown[0].dispatchEvent(new Event('click'))")
    expect(budi.page).to_have_url(re.compile(f"/rooms/{room}"))
    expect(budi.message("the freezer is open")).to_be_in_viewport()

    sari.api.say(room, f"<@{budi.api.id}> never mind")
    budi.sees("the freezer is open", "never mind")
    with _looking_elsewhere(budi):
        sari.api.say(room, f"<@{budi.api.id}> it is open again")
        comes_to(lambda: len(_notifications(budi)), 2)  # in the order of the messages: none was for "never mind"
    assert _notifications(budi)[-1] == ("Sari Wulandari · alarms", "@Budi Santoso it is open again")
