"""Database servers that Jumpwatch starts and stops itself: PostgreSQL from a wheel, TimescaleDB in WebAssembly."""

from core.storage.servers.base import ManagedServer, Progress, ServerAddress
from core.storage.servers.embedded import EmbeddedServer
from core.storage.servers.wasm import WasmServer, wasm_missing

__all__ = ["EmbeddedServer", "ManagedServer", "Progress", "ServerAddress", "WasmServer", "wasm_missing"]
