"""Mastodon's streams: a thread for each, which only takes events down.

The library ends a stream by the first exception in a callback and still says that it runs, so
callbacks here cannot fail and whether a thread lives is asked of the thread. A stream that ended,
for whatever reason, is opened again by the source, with its calls counted.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from mastodon import Mastodon as Api

log = logging.getLogger(__name__)

#: The stream of the account itself, among those of hashtags.
USER: Final = "@"
#: Instances send a sign of life every 15 s; after so many without one a stream is half open.
SILENCE: Final = 40.0
#: More events are not kept while nobody takes them: looks will find the posts.
MOST_EVENTS: Final = 10_000
#: An instance serves few streams to one account; the looks read the other hashtags.
MOST_STREAMS: Final = 8
#: Only these say something of a post.
EVENTS: Final = frozenset({"update", "status.update", "delete", "notification"})


class Streams:
    """The streams of one account. ``connect`` makes a client of its own for each."""

    def __init__(self, connect: "Callable[[], Api]", tags: Sequence[str], patience: float) -> None:
        self._connect = connect
        self._names = [USER, *tags][:MOST_STREAMS]
        self._patience = patience
        self._threads: dict[str, threading.Thread] = {}
        self._events: deque[tuple[str, str, Any]] = deque(maxlen=MOST_EVENTS)
        self._stop = threading.Event()

    def ended(self) -> list[str]:
        """Those that are not open."""
        return [
            name
            for name in self._names
            if name not in self._threads or not self._threads[name].is_alive()
        ]

    def open(self, name: str) -> None:
        """Opens one; whether that works shows in ``ended``."""
        api = self._connect()  # raises GiveUp here, not in the thread
        work = lambda: self._listen(api, name)  # noqa: E731
        thread = threading.Thread(target=work, name=f"mastodon {name}", daemon=True)
        self._threads[name] = thread
        thread.start()

    def events(self) -> list[tuple[str, str, Any]]:
        """Stream, kind and payload of what came since the last time."""
        return [self._events.popleft() for _ in range(len(self._events))]

    def close(self) -> None:
        """Lets the threads end with the next sign of life; they hold up nobody."""
        self._stop.set()

    def _listen(self, api: "Api", name: str) -> None:
        from mastodon import MastodonError, StreamListener
        from requests import RequestException

        events, stop = self._events, self._stop

        class Listener(StreamListener):
            def on_any_event(self, name_: str, data: Any = None, for_stream: Any = None) -> None:  # noqa: ARG002
                if name_ == "notification":
                    is_mention = isinstance(data, dict) and data.get("type") == "mention"
                    data = data.get("status") if is_mention else None
                if name_ in EVENTS and data is not None:
                    events.append((name, name_, data))
                self.handle_heartbeat()

            def handle_heartbeat(self) -> None:
                if stop.is_set():
                    raise MastodonError("told to stop")

        try:
            if name == USER:
                api.stream_user(Listener(), timeout=SILENCE)
            else:
                api.stream_hashtag(name, Listener(), timeout=SILENCE)
        except (MastodonError, RequestException, OSError, ValueError, AttributeError) as error:
            log.info("mastodon: the stream of %s ended (%s)", name, type(error).__name__)
