"""The command palette of Textual, which fails where a page is turned before its list is laid out."""

from __future__ import annotations

from contextlib import suppress

from textual import command


class CommandPalette(command.CommandPalette):
    """As it is, but for that key pressed in haste: it does nothing yet."""

    def _action_command_list(self, action: str) -> None:
        with suppress(KeyError):
            super()._action_command_list(action)
