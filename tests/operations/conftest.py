"""The real databases of the storage tests, here too."""

from tests.storage.conftest import blank, database, embedded_server, embedded_template, wasm_server

__all__ = ["blank", "database", "embedded_server", "embedded_template", "wasm_server"]
