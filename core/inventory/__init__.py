"""The inventory: hosts.toml, read and written with its comments kept; imports, exports, maintenance."""

from core.inventory.fields import host_from, validate_host
from core.inventory.file import Inventory

__all__ = ["Inventory", "host_from", "validate_host"]
