"""The inventory: hosts.toml, read and written with its comments kept, and the import from ssh_config."""

from core.inventory.file import Inventory, host_from, validate_host
from core.inventory.ssh_config import ImportReport, Skipped, read_ssh_config

__all__ = ["ImportReport", "Inventory", "Skipped", "host_from", "read_ssh_config", "validate_host"]
