"""An interactive ssh in this very terminal: the screen steps aside, the loop with its polling runs on."""

from __future__ import annotations

import asyncio
import os
import signal
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from types import FrameType
from typing import Any

from textual.app import App, SuspendNotSupported

from core.exceptions import BusinessLogicError, ConfigurationError

_SSH_FAILED = 255  # ssh(1): an error of its own, not of what it ran
_READ_S = 60.0


async def hand_over(app: App[Any], argv: Sequence[str], host: str) -> int:
    """Run a program on the terminal until it ends and return its exit code; raises where that cannot be done.

    Meanwhile nothing is drawn (views are taken, painting is held back), and keys go to the program alone.
    """
    code, fault = 1, ""
    try:
        with app.batch_update(), app.suspend():
            # suspend() does not come back from an exception in its block: none may leave it.
            try:
                app_says(f"jumpwatch: ssh to {host}; its end brings the console back, polling goes on")
                with _keys_of_the_program():
                    process = await asyncio.create_subprocess_exec(*argv)
                    try:
                        code = await process.wait()
                    finally:
                        if process.returncode is None:
                            process.terminate()
                            await process.wait()
                if code == _SSH_FAILED:
                    app_says(f"jumpwatch: {argv[0]} failed, as it says above; enter brings the console back")
                    await _enter()
            except FileNotFoundError:
                fault = f"there is no {argv[0]} on this machine: install the OpenSSH client"
            except OSError as error:
                fault = f"{argv[0]} cannot be run: {error.strerror}"
    except SuspendNotSupported:
        raise BusinessLogicError("this terminal cannot be handed over: run ssh beside the console") from None
    if fault:
        raise ConfigurationError(fault, operation="shell")
    return code


async def _enter() -> None:
    """Wait for a line on the terminal, a minute at most: what a program said last must not be wiped away unread."""
    loop, pressed = asyncio.get_running_loop(), asyncio.Event()
    fd = sys.__stdin__.fileno() if sys.__stdin__ is not None else -1
    try:
        loop.add_reader(fd, pressed.set)
    except (OSError, ValueError):
        return
    try:
        async with asyncio.timeout(_READ_S):
            await pressed.wait()
        os.read(fd, 4096)
    except (TimeoutError, OSError):
        return
    finally:
        loop.remove_reader(fd)


def app_says(text: str) -> None:
    """Write a line to the terminal that was handed over."""
    stream = sys.__stdout__
    if stream is not None:
        stream.write("".join(sign for sign in text if sign.isprintable()) + "\n")
        stream.flush()


@contextmanager
def _keys_of_the_program() -> Iterator[None]:
    """ctrl+c and ctrl+\\ reach the whole foreground group before ssh makes the terminal raw: they mean ssh alone.

    A handler that does nothing is reset in the child; SIGTSTP is ignored there too, for nobody could wake it again.
    """
    before = {number: signal.signal(number, _nothing) for number in (signal.SIGINT, signal.SIGQUIT)}
    before[signal.SIGTSTP] = signal.signal(signal.SIGTSTP, signal.SIG_IGN)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _nothing(_number: int, _frame: FrameType | None) -> None:
    return
