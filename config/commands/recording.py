"""``record``: what the sources deliver, kept in files that ``replay`` plays again."""

import argparse
import logging
import sys
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from config import settings
from pipeline.errors import Misuse

if TYPE_CHECKING:
    from config.recording import Recording

Commands: TypeAlias = "argparse._SubParsersAction[argparse.ArgumentParser]"


def register(commands: Commands) -> None:
    """Adds the command of this file."""
    record = commands.add_parser(
        "record",
        help="keeps what the sources deliver, for replays",
        description="Reads every configured source and keeps its posts, removals and incidents as "
        "JSON lines, a file for each hour, as `groundswell replay DIR/*-posts.jsonl --incidents F` "
        "plays them. Private numbers are masked; what is erased leaves the files, too; files go "
        "when they are too old or too large together. The next run goes on where this one "
        "ended. With [kafka] it records what `collect` "
        "brings there. `up` records by itself where [recording] dir is set.",
    )
    record.add_argument("dir", nargs="?", type=Path, help="the folder; default: from settings")
    record.add_argument("--hours", type=float, metavar="N", help="how long a file is kept")
    record.add_argument("--most-mb", type=float, metavar="N", help="how large all may grow")
    record.set_defaults(run=run_record)


def run_record(options: argparse.Namespace) -> int:
    """Records until it is stopped, or until every source has come to its end."""
    from config.recording import of_settings

    logging.getLogger().setLevel(logging.INFO)
    known = _with(settings.load(options.config), options)
    if known.kafka is not None:
        from config import solo

        solo.run(known, "record")
        return 0
    recording = of_settings(known)
    if recording is None:
        raise Misuse("nowhere to record to: name a folder, or set dir under [recording]")
    lines = _record(known, recording)
    print(f"{lines:,} lines in {known.recording.dir}", file=sys.stderr)
    return 0


def _with(known: settings.Settings, options: argparse.Namespace) -> settings.Settings:
    """The settings with what the command line says instead. Raises Misuse."""
    told = known.recording.model_dump()
    for name in ("dir", "hours", "most_mb"):
        if (value := getattr(options, name)) is not None:
            told[name] = value
    if told["hours"] <= 0 or told["most_mb"] <= 0:
        raise Misuse("--hours and --most-mb want more than nothing")
    recording = settings.RecordingSettings.model_validate(told)
    return known.model_copy(update={"recording": recording})


def _record(known: settings.Settings, recording: "Recording") -> int:
    """The sources of the settings, read on a broker that is gone afterwards; lines written."""
    import tempfile
    from contextlib import closing

    from config import note, sources, wiring
    from config.crew import Crew
    from config.recorder import Recorder
    from config.resuming import Standing
    from pipeline.brokers.local import LocalBroker
    from pipeline.clock import SystemClock
    from pipeline.roles import install_stop_signals
    from pipeline.topics import TOPICS

    if note.read(note.beside(known.warehouse.path)) is not None:
        raise Misuse("`up` runs here and reads the sources: set dir under [recording], it records")
    opened = sources.open_all(known, clock := SystemClock())
    if not opened:
        raise Misuse("nothing to record: configure a [[source]] or [[incidents]]")
    crew = Crew(clock)
    install_stop_signals(crew.stop)
    with (
        tempfile.TemporaryDirectory(prefix="groundswell-record-") as scratch,
        closing(LocalBroker(Path(scratch) / "record.broker", clock)) as broker,
    ):
        broker.ensure(TOPICS)
        feeds = wiring.feeds(known, opened, broker, clock)
        assert known.recording.dir is not None  # noqa: S101  # or there were no recording
        standing = Standing(broker, known.recording.dir)
        recorder = Recorder(broker, recording, clock, since_start=True)
        crew.run(feeds)
        with closing(recorder), closing(standing):
            while not (crew.stop.is_set() or all(feed.done for feed in feeds.values())):
                standing.look()
                # What was sent before those cursors has to be in the files before they are.
                if not recorder.turn(0.5) or not recorder.turn(0):
                    standing.keep()
                broker.discard_consumed()
            crew.join()
            standing.look()
            while recorder.turn(0):
                pass
            standing.keep()
    crew.check()
    return recorder.totals["lines"]
