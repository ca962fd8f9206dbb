"""Structured logs: to stderr for commands, to a rotating file while the console has the screen; always redacted."""

from __future__ import annotations

import atexit
import logging
import os
import queue
import secrets
import sys
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from logging.handlers import QueueHandler, QueueListener, RotatingFileHandler
from pathlib import Path
from typing import Any, Protocol

import structlog
from structlog.types import Processor

from core.exceptions import InfrastructureException
from core.redaction import MASK, is_secret_name, redact

_QUIET = ("asyncssh", "sqlalchemy", "alembic")
_QUEUE_SIZE = 10_000
_state: dict[str, QueueListener] = {}


class LogOptions(Protocol):
    """What is read of LoggingSettings; core.config stands on the same line as this module and is not imported."""

    @property
    def level(self) -> str: ...
    @property
    def format(self) -> str: ...
    @property
    def max_bytes(self) -> int: ...
    @property
    def backups(self) -> int: ...


class LogSettings(Protocol):
    """What is read of ApplicationSettings; ``origins`` tells what was chosen from what is the default."""

    @property
    def logging(self) -> LogOptions: ...
    @property
    def log_file(self) -> Path: ...
    @property
    def origins(self) -> Mapping[str, str]: ...


def get_logger(name: str) -> structlog.stdlib.BoundLogger:
    """Return a structured logger; usable at import, configured when the program configures logging."""
    logger: structlog.stdlib.BoundLogger = structlog.stdlib.get_logger(name)
    return logger


def new_correlation_id() -> str:
    """Return a short id that joins the log lines, events and audit rows of one piece of work."""
    return secrets.token_hex(6)


@contextmanager
def correlation(correlation_id: str | None = None, **context: str) -> Iterator[str]:
    """Put a correlation id (a new one where none is given) and more on every log line inside the block."""
    chosen = correlation_id or new_correlation_id()
    with structlog.contextvars.bound_contextvars(correlation_id=chosen, **context):
        yield chosen


def redact_event(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Mask secrets in a log line by name and by pattern; our errors become their redacted picture."""
    for key, value in event.items():
        if key.startswith("_"):  # structlog's own record
            continue
        if isinstance(value, InfrastructureException):
            event[key] = value.to_dict()
        elif is_secret_name(key) and value is not None:
            event[key] = MASK
        else:
            event[key] = redact(value, max_text=8000)
    return event


def configure_logging(settings: LogSettings, *, to_stderr: bool) -> str:
    """Send logs to stderr, or to the rotating file alone, and return a line to show where that failed ("" if not).

    May be called again; the earlier way is closed first. A log file that cannot be written never stops the program.
    """
    shutdown_logging()
    chain: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.processors.format_exc_info,
        redact_event,
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            structlog.stdlib.PositionalArgumentsFormatter(),
            *chain,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    formatter = structlog.stdlib.ProcessorFormatter(
        foreign_pre_chain=chain,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, _renderer(settings, to_stderr)],
    )
    notice = ""
    handler: logging.Handler = logging.StreamHandler(sys.stderr)
    if not to_stderr:
        logging.raiseExceptions = False  # logging's own complaints would land on the screen
        try:
            handler = _file_handler(settings)
        except OSError as error:
            handler = logging.NullHandler()
            notice = f"no log is kept: {settings.log_file}: {error.strerror} (set JUMPWATCH_LOGGING_FILE)"
    handler.setFormatter(formatter)
    level = _level(settings, to_stderr)
    _install(handler, level)
    # What asyncio finds when it clears up after an interrupt is for the log file, not for a command's stderr.
    logging.getLogger("asyncio").setLevel(logging.CRITICAL if to_stderr and level != "DEBUG" else logging.WARNING)
    logging.lastResort = None  # at exit, with our handlers gone, nothing may be printed past them
    return notice


def shutdown_logging() -> None:
    """Write what is queued, close the log file and take our handlers away."""
    listener = _state.pop("listener", None)
    if listener is not None:
        listener.stop()
        for handler in listener.handlers:
            handler.close()
    root = logging.getLogger()
    for handler in [one for one in root.handlers if getattr(one, "jumpwatch", False)]:
        root.removeHandler(handler)


def _install(handler: logging.Handler, level: str) -> None:
    root = logging.getLogger()
    handler.jumpwatch = True  # type: ignore[attr-defined]  # so that shutdown_logging knows its own
    root.addHandler(handler)
    root.setLevel(level)
    for name in _QUIET:
        logging.getLogger(name).setLevel(logging.WARNING)
    logging.captureWarnings(True)


def _level(settings: LogSettings, to_stderr: bool) -> str:
    # A command's stderr is for its talk: the default level would bury it, a level that was asked for may.
    chosen = "logging.level" in settings.origins or not to_stderr
    return settings.logging.level.upper() if chosen else "WARNING"


def _renderer(settings: LogSettings, to_stderr: bool) -> Processor:
    for_people = to_stderr and "logging.format" not in settings.origins
    if settings.logging.format == "json" and not for_people:
        return structlog.processors.JSONRenderer(default=str)
    return structlog.dev.ConsoleRenderer(colors=to_stderr and sys.stderr.isatty() and "NO_COLOR" not in os.environ)


class _DroppingQueueHandler(QueueHandler):
    """Hands formatted lines to the writing thread; drops, never waits, where a slow disk lets the queue fill."""

    def enqueue(self, record: logging.LogRecord) -> None:
        try:
            self.queue.put_nowait(record)
        except queue.Full:
            self.dropped = getattr(self, "dropped", 0) + 1


def _file_handler(settings: LogSettings) -> logging.Handler:
    """Open the rotating file (0600) behind a thread, for a write to a slow disk must not hold the loop."""
    path = settings.log_file
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    os.close(os.open(path, os.O_CREAT | os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC, 0o600))
    file = RotatingFileHandler(
        path, maxBytes=settings.logging.max_bytes, backupCount=settings.logging.backups, encoding="utf-8"
    )
    lines: queue.Queue[logging.LogRecord] = queue.Queue(_QUEUE_SIZE)
    listener = QueueListener(lines, file)
    listener.start()
    _state["listener"] = listener
    return _DroppingQueueHandler(lines)


def log_defect(logger: structlog.stdlib.BoundLogger, error: Exception) -> None:
    """Keep the traceback of a defect in the log file; on a command's stderr it is for the debug level alone."""
    ours = [one for one in logging.getLogger().handlers if getattr(one, "jumpwatch", False)]
    if ours:  # else nothing is configured yet, and structlog would print to stdout
        on_stderr = any(isinstance(one, logging.StreamHandler) for one in ours)
        (logger.debug if on_stderr else logger.error)("unexpected error", exc_info=error)


atexit.register(shutdown_logging)
