"""Following a log on a host into a bounded feed; it ends on the host when the follower is cancelled."""

from __future__ import annotations

import asyncio

from core.collectors.logs import LogReader, log_argv
from core.exceptions import InfrastructureException
from core.models import Host, LogFeed, LogSource
from core.ports import HostReach, OutputStream

_SUDO = frozenset({"logs", "actions", "all"})
_BREATH_S = 0.1  # between two looks at what came: a flood is held back on the host, not in here


async def follow(reach: HostReach, source: LogSource, feed: LogFeed) -> None:
    """Follow until the log ends or we are cancelled; what goes wrong is told in the feed, never raised."""
    feed.say("connecting")
    try:
        host = reach.host(source.host)
        sudo = _by_sudo(host, source)
        feed.argv = log_argv(source, sudo=sudo)
        async with reach.session(source.host) as session:
            # A signal of ours reaches no process of root's: what sudo runs hangs on a terminal, which is hung up.
            stream = await session.follow(feed.argv, terminal=sudo)
            try:
                await _take(stream, LogReader(source), feed)
            finally:
                await stream.close()
    except InfrastructureException as error:
        feed.say("ended", error.message)


async def _take(stream: OutputStream, reader: LogReader, feed: LogFeed) -> None:
    feed.say("following")
    while (came := await stream.read()) is not None:
        out, err = came
        records = reader.feed(out)
        if err:
            records += reader.complain(err)
        feed.add(records)
        if reader.note != feed.note:
            feed.say("following", reader.note)
        await asyncio.sleep(_BREATH_S)
    code = stream.exit_code
    feed.say("ended", reader.note or f"its follower ended on the host{'' if code is None else f' (exit {code})'}")


def _by_sudo(host: Host, source: LogSource) -> bool:
    return bool({*host.sudo} & (_SUDO | ({"containers"} if source.container else frozenset())))
