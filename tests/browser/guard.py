"""What no page of the course may do: ask another machine, or write an error to the console."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from urllib.parse import urlsplit

from playwright.sync_api import BrowserContext, ConsoleMessage, Page

INSIDE = {"data", "blob", "about", "file"}  # addresses that lead nowhere, or to this disk


class Guard:
    """Watches every page of a browser context and writes down its faults.

    Attributes
    ----------
    faults : sentences, in the order in which they were seen.
    """

    def __init__(self, context: BrowserContext) -> None:
        self.faults: list[str] = []
        context.on("request", lambda request: self._look_at(request.url))
        context.on("console", self._listen)
        context.on("weberror", lambda error: self.faults.append(f"uncaught: {error.error}"))
        context.on("page", self._watch_sockets)

    def _watch_sockets(self, page: Page) -> None:
        page.on("websocket", lambda socket: self._look_at(socket.url))

    def _look_at(self, url: str) -> None:
        parts = urlsplit(url)
        if parts.scheme not in INSIDE and parts.hostname != "127.0.0.1":
            self.faults.append(f"asked another machine: {url}")

    def _listen(self, message: ConsoleMessage) -> None:
        if message.type == "error":
            self.faults.append(f"console: {message.text} ({message.location['url']})")


@contextlib.contextmanager
def watched(context: BrowserContext) -> Iterator[Page]:
    """Lend a page; a fault of it is an AssertionError at the end of the block."""
    guard = Guard(context)
    page = context.new_page()
    page.set_default_timeout(300_000)
    page.set_default_navigation_timeout(300_000)
    yield page
    page.goto("about:blank")  # unlike closing it, leaving a page ends its kernel
    assert not guard.faults, "\n".join(guard.faults)
