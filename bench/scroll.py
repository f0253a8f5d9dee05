"""Scrolling through a room of 100,000 messages in Chromium: frames, long tasks, nodes, memory.

A frame is the time from one `requestAnimationFrame` to the next: what the page's own thread is late for. Chromium runs without a
window and draws by processor, so a machine with a screen and a graphics card does better. On a busy machine frames are lost to
others; the processor time that the page's thread needs for a frame stays what it is.
"""

import asyncio
import os
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from playwright.async_api import Browser, CDPSession, Page, async_playwright

from bench import long_room
from bench.figures import Figure, at_least, at_most, percentile
from tests.support.browser import launch_options

MESSAGES = 100_000
READ_BY_WHEEL, FLUNG_BY = 4_000, 20_000  # messages up from the end
READING, FLINGING = 6_000, 24_000  # pixels a second: a wheel turned steadily, a wheel spun
STRETCH = 30_000  # pixels in one gesture
PAGES_UP = 120
FRAME = 1_000 / 60  # milliseconds
GOAL_FPS = 58.0  # of 60; a frame lost now and then is not seen
GOAL_LOST = 2.0  # per cent
GOAL_JUMP = 1_000.0  # milliseconds to a message a hundred thousand messages away
WAIT = 120_000  # milliseconds

WATCH = """() => {
    const frames = []
    const tasks = []
    const observer = new PerformanceObserver((list) => tasks.push(...list.getEntries().map((one) => one.duration)))
    observer.observe({ type: 'longtask' })
    let last = null
    let on = true
    const note = (now) => {
        if (last !== null) frames.push(now - last)
        last = now
        if (on) requestAnimationFrame(note)
    }
    requestAnimationFrame(note)
    window.stopWatching = () => ((on = false), observer.disconnect(), { frames, tasks })
}"""
TIMES = "() => [...document.querySelectorAll('[role=log] .bubble time')].map((one) => one.dateTime)"
UNTIL_SHOWN = """(wanted) => new Promise((done) => {
    const began = performance.now()
    const box = document.querySelector('[role=log]').getBoundingClientRect()
    const inSight = (one) => one.getBoundingClientRect().bottom > box.top && one.getBoundingClientRect().top < box.bottom
    const says = (one) => `${one.querySelector('time').dateTime} ${one.textContent}`.includes(wanted)
    const look = () => {
        const found = [...document.querySelectorAll('[role=log] .bubble')].some((one) => says(one) && inSight(one))
        if (found) done(performance.now() - began)
        else requestAnimationFrame(look)
    }
    requestAnimationFrame(look)
})"""


@dataclass
class Watched:
    """Milliseconds: lengths of frames, of tasks that took more than 50, and processor time of the page's thread in all."""

    frames: list[float]
    tasks: list[float]
    computing: float

    def figures(self, what: str) -> list[Figure]:
        """What a person would notice."""
        elapsed = sum(self.frames)
        lost = sum(max(0, round(frame / FRAME) - 1) for frame in self.frames)
        return [
            at_least(f"{what}: frames", 1000 * len(self.frames) / elapsed, "/s", GOAL_FPS),
            at_most(f"{what}: lost", 100 * lost / (lost + len(self.frames)), "%", GOAL_LOST),
            at_most(f"{what}: computing", self.computing / len(self.frames), "ms each", FRAME),
            Figure(f"{what}: frame, median", percentile(self.frames, 0.5), "ms"),
            Figure(f"{what}: frame, p95", percentile(self.frames, 0.95), "ms"),
            Figure(f"{what}: frame, p99", percentile(self.frames, 0.99), "ms"),
            Figure(f"{what}: longest task", max(self.tasks, default=0.0), "ms"),
        ]


class Reader:
    """Somebody in front of the room."""

    def __init__(self, page: Page, browser: CDPSession) -> None:
        self._page, self._browser = page, browser

    async def watched(self, what: str, scrolling: Callable[[], Awaitable[None]]) -> list[Figure]:
        """The figures of what happens meanwhile."""
        before = await self._computing()
        await self._page.evaluate(WATCH)
        await scrolling()
        seen = await self._page.evaluate("() => window.stopWatching()")
        return Watched(seen["frames"], seen["tasks"], await self._computing() - before).figures(what)

    async def _computing(self) -> float:
        """Milliseconds that the page's thread has computed."""
        await self._browser.send("Performance.enable", {"timeDomain": "threadTicks"})
        metrics = (await self._browser.send("Performance.getMetrics"))["metrics"]
        return next(1000 * float(metric["value"]) for metric in metrics if metric["name"] == "TaskDuration")

    async def wheel(self, pixels: int, speed: int) -> None:
        """Turns the wheel; up when positive."""
        box = await self._page.get_by_role("log").bounding_box()
        assert box is not None
        middle = {"x": box["x"] + box["width"] / 2, "y": box["y"] + box["height"] / 2}
        await self._browser.send(
            "Input.synthesizeScrollGesture",
            {**middle, "yDistance": pixels, "speed": speed, "gestureSourceType": "mouse", "preventFling": True},
        )

    async def times(self) -> list[str]:
        """When the messages that are in the page were sent, oldest first; ISO 8601 in UTC."""
        return sorted(await self._page.evaluate(TIMES))

    async def wheel_up(self, newest: str, messages: int, speed: int) -> None:
        """Until so many messages lie between the newest and the oldest in the page."""
        wanted = datetime.fromisoformat(newest) - messages * timedelta(milliseconds=long_room.PAUSE)
        while datetime.fromisoformat((await self.times())[0]) > wanted:
            await self.wheel(STRETCH, speed)

    async def up_and_down(self) -> None:
        """Over what is there."""
        for pixels in (-STRETCH, STRETCH, -STRETCH, STRETCH):
            await self.wheel(pixels, READING)

    async def page_up(self) -> None:
        """By keyboard."""
        await self._page.get_by_role("log").focus()
        for _ in range(PAGES_UP):
            await self._page.keyboard.press("PageUp")
            await asyncio.sleep(0.1)

    async def wheel_to_quote(self) -> None:
        """Until a message that quotes the room's first is on the screen."""
        while (
            not await self._page.get_by_role("article").get_by_role("button").filter(has_text=long_room.FIRST).count()
        ):
            await self.wheel(500, READING)

    async def jump(self, click: Callable[[], Awaitable[None]], wanted: str) -> float:
        """Milliseconds from the click until the message with this time or text is on the screen."""
        shown = asyncio.create_task(self._page.evaluate(UNTIL_SHOWN, wanted))
        await asyncio.sleep(0.1)
        await click()
        return float(await shown) - 100

    async def weight(self, what: str) -> list[Figure]:
        """Nodes in the page, and memory of its script that cannot be freed."""
        await self._browser.send("HeapProfiler.collectGarbage")
        heap = await self._browser.send("Runtime.getHeapUsage")
        nodes = await self._page.evaluate("() => document.querySelectorAll('*').length")
        return [Figure(f"{what}: nodes", nodes, ""), Figure(f"{what}: script's memory", heap["usedSize"] / 1e6, "MB")]


async def measure(folder: Path) -> list[Figure]:
    """Makes the room, opens it and scrolls."""
    with long_room.running(folder, MESSAGES) as (url, path):
        async with async_playwright() as playwright:
            options: dict[str, Any] = launch_options()
            browser = await playwright.chromium.launch(**options)
            try:
                return await _scroll(browser, url, path)
            finally:
                await browser.close()


async def _scroll(browser: Browser, url: str, path: str) -> list[Figure]:
    context = await browser.new_context(viewport={"width": 1440, "height": 900}, locale="en-US")
    context.set_default_timeout(WAIT)
    account = {"email": f"{long_room.PEOPLE[0]}@kopi.example", "password": long_room.PASSWORD}
    await context.request.post(f"{url}/api/v1/auth/login", data=account)
    page = await context.new_page()
    await page.goto(url + path)
    await page.get_by_role("article").last.wait_for()
    await asyncio.sleep(5)  # what a page does after it was opened
    reader = Reader(page, await context.new_cdp_session(page))
    newest = (await reader.times())[-1]

    found = [Figure("load average before", os.getloadavg()[0], "")]
    found += await reader.watched("nothing moves", lambda: asyncio.sleep(5))
    found += await reader.weight("room opened")
    found += await reader.watched("wheel", lambda: reader.wheel_up(newest, READ_BY_WHEEL, READING))
    found += await reader.watched("PageUp", reader.page_up)
    found += await reader.watched("wheel spun", lambda: reader.wheel_up(newest, FLUNG_BY, FLINGING))
    found += await reader.weight(f"{FLUNG_BY:,} messages up")
    found += await reader.watched("wheel, nothing to load", reader.up_and_down)
    found += await _jump_far(page, reader, newest)
    await context.close()
    return found


async def _jump_far(page: Page, reader: Reader, newest: str) -> list[Figure]:
    """To the newest, by a quote to the room's first day, and back."""

    async def to_newest() -> None:
        await page.get_by_role("button", name="Jump to newest").click()

    async def to_first() -> None:
        await page.get_by_role("article").get_by_role("button").filter(has_text=long_room.FIRST).last.click()

    found = [at_most("jump to the newest", await reader.jump(to_newest, newest), "ms", GOAL_JUMP)]
    await reader.wheel_to_quote()
    found.append(at_most("jump to the first day", await reader.jump(to_first, long_room.FIRST_END), "ms", GOAL_JUMP))
    found += await reader.watched("wheel on the first day", reader.up_and_down)
    found.append(at_most("jump back to the newest", await reader.jump(to_newest, newest), "ms", GOAL_JUMP))
    return [*found, *await reader.weight("at the end again")]
