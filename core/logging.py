"""Structured logs: to stderr for commands, to a rotating file while the console has the screen; always redacted."""

from __future__ import annotations

import atexit
import logging
import os
import re
import secrets
import sys
import threading
import traceback
from collections.abc import Iterator, Mapping, MutableMapping
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Protocol

import structlog
from structlog.types import Processor

from core.logfile import LogFile
from core.redaction import MASK, is_secret_name, redact, redact_text, safe_text

_QUIET = ("asyncssh", "sqlalchemy", "alembic")
_MOST_TEXT = 8000  # characters of one value in a log line
_MOST_VALUES = 500  # in one line
_PLACE = re.compile(
    r"([\w-]*)[^\w%]{0,4}%[-#0 +]*\d*(?:\.\d+)?([a-zA-Z%])"
)  # of an argument: the word before, its kind


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
    """Mask secrets in a log line by name, by type and by pattern; errors become their redacted picture or text."""
    for key, value in event.items():
        if key[:1] == "_":  # structlog's own record
            continue
        if is_secret_name(key) and value is not None:
            event[key] = MASK
        else:
            event[key] = redact(value, max_text=_MOST_TEXT, most=_MOST_VALUES)
    return event


def _traceback_text(exc_info: tuple[type[BaseException], BaseException, TracebackType | None]) -> str:
    """Return the traceback with its causes and notes, redacted, without local variables; a long one loses its middle.

    The end of a traceback is what went wrong, so that is kept.
    """
    try:
        text = "".join(traceback.format_exception(*exc_info)).rstrip("\n")
    except Exception:  # noqa: BLE001 - of an error whose own parts fail: its type must do
        return f"{exc_info[0].__name__} (its traceback cannot be read)"
    if len(text) > 8 * _MOST_TEXT:
        _half_a_word, *rest = text[-6 * _MOST_TEXT :].split(None, 1)
        text = "\n".join((text[:_MOST_TEXT], "…", *rest))
    text = redact_text(text)
    return text if len(text) <= _MOST_TEXT else text[:1500] + "\n…\n" + text[1504 - _MOST_TEXT :]


class _Formatter(structlog.stdlib.ProcessorFormatter):
    """Redacts the arguments of foreign records while they still have names and types; never raises."""

    def format(self, record: logging.LogRecord) -> str:
        try:
            if record.args and not isinstance(record.msg, dict):
                record = logging.makeLogRecord(record.__dict__)
                record.args = _redacted(record.args, str(record.msg))
            return super().format(record)
        except Exception as error:  # noqa: BLE001 - of whatever was logged: the line is told, the program goes on
            told = logging.makeLogRecord(
                {"name": record.name, "levelno": record.levelno, "levelname": record.levelname}
            )
            told.msg = f"a log line cannot be written ({type(error).__name__}): {safe_text(record.msg, 200)}"
            return super().format(told)


def _redacted(args: Any, template: str) -> Any:
    """Return %-arguments with their secrets hidden; numbers and texts stay what they are."""
    if isinstance(args, Mapping):
        return redact(args, max_text=_MOST_TEXT, most=_MOST_VALUES)
    places = [place for place in _PLACE.finditer(template) if place[2] != "%"]
    return tuple(
        MASK
        if number < len(places) and places[number][2] in "sra" and is_secret_name(places[number][1])  # password=%s
        else one
        if isinstance(one, str | int | float | None)
        else redact(one, max_text=_MOST_TEXT, most=_MOST_VALUES)
        for number, one in enumerate(args)
    )


def _printable(_logger: object, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Escape control characters where lines are for people: nothing in a log may steer a terminal or forge a line."""
    for key, value in event.items():
        if type(value) is str and not value.isprintable():
            lines = value.split("\n") if key == "exception" else [value]
            event[key] = "\n".join(
                "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in line) for line in lines
            )
    return event


def configure_logging(settings: LogSettings, *, to_stderr: bool) -> str:
    """Send logs to stderr, or to the rotating file alone, and return a line to show where that failed ("" if not).

    May be called again; the earlier way is closed first. A log file that cannot be written never stops the program.
    """
    shutdown_logging()
    chain: list[Processor] = [
        structlog.contextvars.merge_contextvars,
        structlog.processors.ExceptionRenderer(_traceback_text),
        redact_event,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
    ]
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *chain,
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,
    )
    formatter = _Formatter(
        foreign_pre_chain=chain,
        processors=[structlog.stdlib.ProcessorFormatter.remove_processors_meta, *_renderers(settings, to_stderr)],
    )
    notice = ""
    handler: logging.Handler = logging.StreamHandler(sys.stderr)
    logging.raiseExceptions = False  # logging's own complaints would land on the screen, with unredacted arguments
    if not to_stderr:
        _free_the_screen()
        try:
            options = settings.logging
            handler = LogFile(settings.log_file, max_bytes=options.max_bytes, backups=options.backups)
        except OSError as error:
            handler = logging.NullHandler()
            notice = f"no log is kept: {settings.log_file}: {error.strerror} (set JUMPWATCH_LOGGING_FILE)"
    handler.setFormatter(formatter)
    level = _level(settings, to_stderr)
    _install(handler, level)
    # What asyncio finds when it clears up after an interrupt is for the log file, not for a command's stderr.
    asyncio_quiet = to_stderr and level != "DEBUG"
    logging.getLogger("asyncio").setLevel("CRITICAL" if asyncio_quiet else _at_least_warning(level))
    logging.lastResort = None  # at exit, with our handlers gone, nothing may be printed past them
    return notice


def shutdown_logging() -> None:
    """Write what is queued, close the log file and take our handlers and hooks away."""
    root = logging.getLogger()
    for handler in [one for one in root.handlers if getattr(one, "jumpwatch", False)]:
        root.removeHandler(handler)
        handler.close()
    if threading.excepthook is _thread_ended:
        threading.excepthook = threading.__excepthook__
    if sys.unraisablehook is _unraisable:
        sys.unraisablehook = _before.pop("unraisable", sys.__unraisablehook__)


_before: dict[str, Any] = {}  # the hooks that ours stand in for


def _install(handler: logging.Handler, level: str) -> None:
    root = logging.getLogger()
    handler.jumpwatch = True  # type: ignore[attr-defined]  # so that shutdown_logging knows its own
    root.addHandler(handler)
    root.setLevel(level)
    for name in _QUIET:
        logging.getLogger(name).setLevel(_at_least_warning(level))
    logging.captureWarnings(True)


def _at_least_warning(level: str) -> int:
    return max(logging.WARNING, logging.getLevelNamesMapping()[level])


def _free_the_screen() -> None:
    """Take away what would write to the terminal past us: others' handlers, and the interpreter's last words."""
    terminal = (sys.stdout, sys.stderr, sys.__stdout__, sys.__stderr__)
    known = [one for one in logging.root.manager.loggerDict.values() if isinstance(one, logging.Logger)]
    for logger in [logging.root, *known]:
        for handler in logger.handlers[:]:
            if isinstance(handler, logging.StreamHandler) and handler.stream in terminal:
                logger.removeHandler(handler)
    _before["unraisable"] = sys.unraisablehook
    threading.excepthook, sys.unraisablehook = _thread_ended, _unraisable


def _thread_ended(args: threading.ExceptHookArgs) -> None:
    if args.exc_type is not SystemExit:
        logging.getLogger(__name__).error(
            "thread %s ended by an error", args.thread.name if args.thread else "?", exc_info=args.exc_value
        )


def _unraisable(args: Any) -> None:
    logging.getLogger(__name__).error(
        "%s: %s", args.err_msg or "ignored", safe_text(args.object, 200), exc_info=args.exc_value
    )


def _level(settings: LogSettings, to_stderr: bool) -> str:
    # A command's stderr is for its talk: the default level would bury it, a level that was asked for may.
    chosen = "logging.level" in settings.origins or not to_stderr
    return settings.logging.level.upper() if chosen else "WARNING"


def _renderers(settings: LogSettings, to_stderr: bool) -> list[Processor]:
    for_people = to_stderr and "logging.format" not in settings.origins
    if settings.logging.format == "json" and not for_people:
        return [structlog.processors.JSONRenderer()]
    colors = to_stderr and sys.stderr.isatty() and "NO_COLOR" not in os.environ
    plain = structlog.dev.plain_traceback  # the other ones show local variables
    return [_printable, structlog.dev.ConsoleRenderer(colors=colors, exception_formatter=plain)]


def log_defect(logger: structlog.stdlib.BoundLogger, error: Exception) -> None:
    """Keep the traceback of a defect in the log file; on a command's stderr it is for the debug level alone."""
    ours = [one for one in logging.getLogger().handlers if getattr(one, "jumpwatch", False)]
    if ours:  # else nothing is configured yet, and structlog would print to stdout
        on_stderr = any(isinstance(one, logging.StreamHandler) for one in ours)
        (logger.debug if on_stderr else logger.error)("unexpected error", exc_info=error)


atexit.register(shutdown_logging)
