"""The short way of a frame through asyncssh: a whole packet of data, for the stream's channel, under AES-GCM.

asyncssh leads every packet through its general machinery and makes the cipher anew for each: most of what a frame
costs. What is plainly such a packet is decrypted and handed to the channel here. All else (another channel, another
kind, half a packet, a key exchange, a tag that does not fit) is left to asyncssh untouched: both read and advance the
same state, its own, and every check it makes of such a packet is made here too.
"""

from __future__ import annotations

from contextlib import suppress
from struct import Struct
from typing import Any

import asyncssh
from asyncssh.connection import SSHConnection
from asyncssh.encryption import GCMEncryption
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_DATA = 94  # SSH_MSG_CHANNEL_DATA, RFC 4254
_LENGTH, _TAG = 4, 16  # bytes: sent in the clear before a packet, and after it, RFC 5647
_length = Struct(">I").unpack_from
_HEAD = Struct(">BBII")  # of the packet: length of the padding, kind, channel, length of the data
_head = _HEAD.unpack_from


class ShortWay:
    """Stands before ``connection.data_received`` from take() to leave(); one a connection."""

    __slots__ = ("_aead", "_channel", "_connection", "_encryption", "_from_header")

    def __init__(self, connection: SSHConnection, channel: asyncssh.SSHClientChannel[bytes]) -> None:
        self._connection: Any = connection
        self._channel: Any = channel
        self._from_header: Any = None
        self._encryption: object = None
        self._aead: AESGCM | None = None

    def take(self) -> None:
        """Begin; where asyncssh is not as it is known here, everything stays with it."""
        connection, channel = self._connection, self._channel
        with suppress(AttributeError):
            self._from_header = connection._recv_pkthdr
            used = (connection._recv_handler, connection._recv_seq, connection._inpbuf, connection._decompressor,
                    connection._max_recv_pktlen, connection._keepalive_interval, connection._transport,
                    channel._recv_state, channel._recv_window, channel._accept_data)  # fmt: skip
            if used and "data_received" not in vars(connection):
                connection.data_received = self.data_received

    def leave(self) -> None:
        """End: asyncssh reads by itself again."""
        if vars(self._connection).get("data_received") == self.data_received:
            del self._connection.data_received

    def data_received(self, data: bytes, datatype: asyncssh.DataType = None) -> None:
        """Take what the transport read."""
        connection = self._connection
        done = 0
        if not connection._inpbuf and connection._recv_handler == self._from_header:
            try:
                done = self._packets(data)
            except Exception:  # noqa: BLE001 - as asyncssh does where it reads
                connection.internal_error()
                return
        if done < len(data):
            connection._inpbuf += data[done:]
            connection._recv_data()
        elif connection._keepalive_interval:
            connection._reset_keepalive_timer()

    def _packets(self, data: bytes) -> int:
        """Take the packets of our kind that ``data`` begins with; return how many bytes they were."""
        connection, channel = self._connection, self._channel
        if connection._recv_encryption is not self._encryption:  # at first, and after a key exchange
            self._renew(connection._recv_encryption)
        if self._aead is None or connection._decompressor is not None:
            return 0
        number, decrypt, cipher = channel._recv_chan, self._aead.decrypt, connection._recv_encryption._cipher
        at, size, shortest = 0, len(data), _HEAD.size
        while size - at > _LENGTH + _TAG and channel._recv_state == "open" and connection._transport is not None:
            (length,) = _length(data, at)
            end = at + _LENGTH + length + _TAG
            if end > size or not shortest <= length <= connection._max_recv_pktlen:
                break
            try:
                packet = decrypt(cipher._iv, data[at + _LENGTH : end], data[at : at + _LENGTH])
            except InvalidTag:  # asyncssh finds the same, and ends the connection
                break
            padding, kind, recipient, count = _head(packet)
            stop = shortest + count
            if (
                kind != _DATA
                or recipient != number
                or not padding
                or stop + padding != length
                or count > channel._recv_window
            ):
                break
            cipher._update_iv()
            connection._recv_seq = (connection._recv_seq + 1) & 0xFFFFFFFF
            at = end
            channel._accept_data(packet[shortest:stop])
        return at

    def _renew(self, encryption: object) -> None:
        self._encryption, self._aead = encryption, None
        if isinstance(encryption, GCMEncryption):
            with suppress(AttributeError, ValueError):
                self._aead = AESGCM(encryption._cipher._key)
