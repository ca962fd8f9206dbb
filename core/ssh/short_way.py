"""The short way through asyncssh of frames and heartbeats: one packet of data of the stream's channel, AES-GCM.

asyncssh leads every packet through its general machinery and makes the cipher anew for each: most of what a frame
costs. What is plainly such a packet is decrypted and handed to the channel here. All else (another channel, another
kind, half a packet, a key exchange, a tag that does not fit) is left to asyncssh untouched: both read and advance the
same state, its own, and every check it makes of such a packet is made here too. What is sent this way goes without the
empty packet that asyncssh puts before each: that one is for ciphers in CBC mode.
"""

from __future__ import annotations

import os
from contextlib import suppress
from struct import Struct
from time import monotonic
from typing import Any

import asyncssh
from asyncssh.connection import SSHConnection
from asyncssh.encryption import GCMEncryption
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

_DATA = 94  # SSH_MSG_CHANNEL_DATA, RFC 4254
_BLOCK = 16  # bytes that a packet of AES-GCM is a multiple of, RFC 5647
_LENGTH, _TAG = 4, 16  # bytes: sent in the clear before a packet, and after it, RFC 5647
_length = Struct(">I")
_HEAD = Struct(">BBII")  # of the packet: length of the padding, kind, channel, length of the data
_head = _HEAD.unpack_from
_IV = Struct(">4sQ")  # fixed, and counted up by each packet; RFC 5647


def next_iv(iv: bytes) -> bytes:
    """Return what follows a nonce of AES-GCM, as asyncssh counts it."""
    fixed, packets = _IV.unpack(iv)
    return _IV.pack(fixed, (packets + 1) & 0xFFFF_FFFF_FFFF_FFFF)


class _Cipher:
    """The ready cipher of one direction; anew after a key exchange."""

    __slots__ = ("_aead", "_encryption")

    def __init__(self) -> None:
        self._encryption: object = None
        self._aead: AESGCM | None = None

    def of(self, encryption: object) -> AESGCM | None:
        """Return it for what asyncssh encrypts with now; None where that is another kind."""
        if encryption is not self._encryption:
            self._encryption, self._aead = encryption, None
            if isinstance(encryption, GCMEncryption):
                with suppress(AttributeError, ValueError):
                    self._aead = AESGCM(encryption._cipher._key)
        return self._aead


class ShortWay:
    """Stands before ``connection.data_received`` from take() to leave(); one a connection."""

    __slots__ = ("_channel", "_connection", "_from_header", "_received", "_sends", "_sent")

    def __init__(self, connection: SSHConnection, channel: object) -> None:
        self._connection: Any = connection
        self._channel: Any = channel
        self._from_header: Any = None
        self._received, self._sent = _Cipher(), _Cipher()
        self._sends = False

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
        with suppress(AttributeError):
            sent = (connection._auth_complete, connection._kex_complete, connection._deferred_packets,
                    connection._rekey_bytes_sent, connection._rekey_bytes, connection._rekey_time,
                    connection._compressor, connection._send_seq, channel._send_state, channel._send_chan,
                    channel._send_buf, channel._send_window, channel._send_pktsize)  # fmt: skip
            self._sends = bool(sent)

    def leave(self) -> None:
        """End: asyncssh reads by itself again."""
        self._sends = False
        if vars(self._connection).get("data_received") == self.data_received:
            del self._connection.data_received

    def send(self, data: bytes) -> bool:
        """Send what fits into one packet; False, and nothing is sent, where asyncssh should do it."""
        connection, channel = self._connection, self._channel
        if not self._sends or channel._send_state != "open" or channel._send_buf:
            return False
        if len(data) > min(channel._send_window, channel._send_pktsize):
            return False
        if not (connection._auth_complete and connection._kex_complete) or connection._deferred_packets:
            return False
        if connection._rekey_bytes_sent >= connection._rekey_bytes or monotonic() >= connection._rekey_time:
            return False  # it is time for new keys
        aead = self._sent.of(connection._send_encryption)
        if aead is None or connection._compressor is not None or connection._transport is None:
            return False
        size = _HEAD.size + len(data)
        padding = -size % _BLOCK
        if padding < 4:  # RFC 4253
            padding += _BLOCK
        length = _length.pack(size + padding)
        packet = _HEAD.pack(padding, _DATA, channel._send_chan, len(data)) + data + os.urandom(padding)
        cipher = connection._send_encryption._cipher
        connection._send(length + aead.encrypt(cipher._iv, packet, length))
        cipher._iv = next_iv(cipher._iv)
        connection._send_seq = (connection._send_seq + 1) & 0xFFFFFFFF
        connection._rekey_bytes_sent += size + padding
        channel._send_window -= len(data)
        return True

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
        aead = self._received.of(connection._recv_encryption)
        if aead is None or connection._decompressor is not None:
            return 0
        number, decrypt, cipher = channel._recv_chan, aead.decrypt, connection._recv_encryption._cipher
        at, size, shortest = 0, len(data), _HEAD.size
        while size - at > _LENGTH + _TAG and channel._recv_state == "open" and connection._transport is not None:
            (length,) = _length.unpack_from(data, at)
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
            cipher._iv = next_iv(cipher._iv)
            connection._recv_seq = (connection._recv_seq + 1) & 0xFFFFFFFF
            at = end
            channel._accept_data(packet[shortest:stop])
        return at
