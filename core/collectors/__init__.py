"""What is read from a host: the remote loop, the wire format and the parsers; no I/O, no asyncio."""
