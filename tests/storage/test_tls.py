"""TLS as set: each mode against a real server with an authority of the test's own, each refusal with its reason."""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID
from pydantic import SecretStr

from core.config import DatabaseSettings, RetentionSettings
from core.database import Database, get_connection_info
from core.exceptions import ConfigurationError, DatabaseConnectionError
from tests.parts import need
from tests.storage import plain_server
from tests.storage.plain_server import PASSWORD, PlainServer

DAY = timedelta(days=1)


class Authority:
    """A certificate authority; signs for a name, valid from and to days from now."""

    def __init__(self, name: str) -> None:
        self.key = ec.generate_private_key(ec.SECP256R1())
        self.name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.certificate = self._sign(self.name, self.key, (-10 * DAY, 10 * DAY), x509.BasicConstraints(True, None))

    def pem(self) -> bytes:
        return self.certificate.public_bytes(serialization.Encoding.PEM)

    def issue(self, host: str, begin: timedelta = -DAY, end: timedelta = DAY) -> tuple[bytes, bytes]:
        """Return certificate and key of a host, in PEM."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, host)])
        names = x509.SubjectAlternativeName([x509.DNSName(host)])
        signed = self._sign(subject, key, (begin, end), names)
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return signed.public_bytes(serialization.Encoding.PEM), private

    def _sign(
        self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, span: tuple[timedelta, timedelta], extra: Any
    ) -> x509.Certificate:
        now = datetime.now(UTC)
        builder = x509.CertificateBuilder(
            self.name, subject, key.public_key(), x509.random_serial_number(), now + span[0], now + span[1]
        )
        return builder.add_extension(extra, critical=False).sign(self.key, hashes.SHA256())


@dataclass
class Secured:
    server: PlainServer
    root: Path  # the certificate of the authority that signs for the server
    stranger: Path  # of another authority

    def show(self, certificate: str) -> None:
        """Let the server show a certificate to those who connect from now on; "" for no TLS at all."""
        files = {f"ssl_{kind}_file": self.server.folder / f"{certificate}.{end}" for kind, end in _PARTS}
        self.server.configure(**({"ssl": "on", **files} if certificate else {"ssl": "off"}))


_PARTS = (("cert", "crt"), ("key", "key"))


@pytest.fixture(scope="module")
def secured(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    missing = plain_server.missing()
    need("PostgreSQL 15", not missing, missing)
    server = plain_server.start()
    authority, stranger = Authority("Test authority"), Authority("Another authority")
    for name, (certificate, key) in {
        "good": authority.issue("localhost"),
        "expired": authority.issue("localhost", -3 * DAY, -DAY),
        "future": authority.issue("localhost", DAY, 2 * DAY),
        "other": authority.issue("db.example"),
    }.items():
        server.give(f"{name}.crt", certificate)
        server.give(f"{name}.key", key)
    # What the program is started with stands above what is configured later: it is started without.
    server.halt()
    server.run(ssl=None, ssl_cert_file=None, ssl_key_file=None)
    folder = tmp_path_factory.mktemp("authorities")
    (folder / "root.pem").write_bytes(authority.pem())
    (folder / "stranger.pem").write_bytes(stranger.pem())
    yield Secured(server, folder / "root.pem", folder / "stranger.pem")
    server.stop()


def database(secured: Secured, mode: str, root: Path | None = None, host: str = "localhost") -> Database:
    values: dict[str, Any] = {"ssl_mode": mode, "ssl_root_cert": root, "connect_timeout_s": 5}
    return Database(DatabaseSettings(url=SecretStr(secured.server.url(host=host)), **values), RetentionSettings())


async def tls_of(found: Database) -> str | None:
    try:
        await found.open()
        return (await get_connection_info(found)).tls
    finally:
        await found.close()


async def refusal(found: Database) -> str:
    try:
        with pytest.raises(DatabaseConnectionError) as caught:
            await found.open()
    finally:
        await found.close()
    assert caught.value.error_code == "DATABASE_TLS" and PASSWORD not in str(caught.value.to_dict())
    return caught.value.message


@pytest.mark.parametrize(
    ("mode", "rooted", "host", "encrypted"),
    [
        ("disable", False, "localhost", False),
        ("prefer", False, "localhost", True),
        ("prefer", True, "127.0.0.1", True),
        ("require", False, "127.0.0.1", True),  # encrypts, and asks nobody who the server is
        ("require", True, "127.0.0.1", True),  # with an authority named it is verify-ca, as libpq has it
        ("verify-ca", True, "127.0.0.1", True),
        ("verify-full", True, "localhost", True),
    ],
)
async def test_each_mode(secured: Secured, mode: str, rooted: bool, host: str, encrypted: bool) -> None:
    secured.show("good")
    found = await tls_of(database(secured, mode, secured.root if rooted else None, host))
    assert (found or "").startswith("TLSv1.") is encrypted


@pytest.mark.parametrize(
    ("certificate", "mode", "authority", "reason", "way_out"),
    [
        ("other", "verify-full", "root", "another host's", "a name that the certificate has"),
        ("expired", "verify-full", "root", "has expired", "renewed"),
        ("expired", "verify-ca", "root", "has expired", "renewed"),
        ("future", "verify-full", "root", "not valid yet", "clocks"),
        ("good", "verify-full", "stranger", "no authority known here", "JUMPWATCH_DATABASE_SSL_ROOT_CERT"),
        ("good", "require", "stranger", "no authority known here", "JUMPWATCH_DATABASE_SSL_ROOT_CERT"),
        ("good", "verify-full", "", "no authority known here", "JUMPWATCH_DATABASE_SSL_ROOT_CERT"),
        ("", "require", "", "offers no TLS", "ssl = on"),
        ("", "verify-full", "root", "offers no TLS", "ssl = on"),
    ],
)
async def test_each_refusal_has_its_reason_and_way_out(
    secured: Secured, certificate: str, mode: str, authority: str, reason: str, way_out: str
) -> None:
    root = {"root": secured.root, "stranger": secured.stranger, "": None}[authority]
    secured.show(certificate)
    message = await refusal(database(secured, mode, root))
    assert reason in message and way_out in message


async def test_an_address_is_not_in_the_certificate(secured: Secured) -> None:
    secured.show("good")
    message = await refusal(database(secured, "verify-full", secured.root, "127.0.0.1"))
    assert "not for this address" in message and "name" in message


async def test_what_is_less_strict_takes_what_is_there(secured: Secured) -> None:
    secured.show("other")  # the authority alone is checked
    assert await tls_of(database(secured, "verify-ca", secured.root))
    secured.show("")
    assert await tls_of(database(secured, "prefer")) is None
    assert await tls_of(database(secured, "prefer", secured.root)) is None


@pytest.mark.parametrize("mode", ["require", "verify-ca", "verify-full"])
async def test_nothing_is_sent_in_clear_text_to_who_talks_tls_away(secured: Secured, mode: str) -> None:
    """Somebody between us and the server answers that it has no TLS: we leave, and our login never went out."""
    heard: list[bytes] = []

    async def between(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard.append(await reader.read(8))
        writer.write(b"N")
        await writer.drain()
        heard.append(await reader.read(1000))
        writer.close()

    listener = await asyncio.start_server(between, "127.0.0.1", 0)
    port = listener.sockets[0].getsockname()[1]
    url = secured.server.url().replace(str(secured.server.port), str(port))
    values: dict[str, Any] = {"ssl_mode": mode, "ssl_root_cert": secured.root}
    message = await refusal(Database(DatabaseSettings(url=SecretStr(url), **values), RetentionSettings()))
    async with asyncio.timeout(5):
        while len(heard) < 2:
            await asyncio.sleep(0.01)
    listener.close()
    assert "offers no TLS" in message and heard[0][4:] == b"\x04\xd2\x16\x2f" and heard[1] == b""


async def test_a_server_that_asks_for_tls_says_so(secured: Secured) -> None:
    rules = secured.server.folder / "data" / "pg_hba.conf"
    before = rules.read_bytes()
    only_tls = before.replace(b"\nhost ", b"\nhostssl ")
    assert only_tls != before
    rules.write_bytes(only_tls)
    try:
        secured.server.sql("SELECT pg_reload_conf()")
        found = database(secured, "disable")
        with pytest.raises(DatabaseConnectionError, match="SSL_MODE=require"):
            async with asyncio.timeout(5):
                while True:  # until the server has read it
                    await found.open()
                    await found.close()
        await found.close()
    finally:
        rules.write_bytes(before)
        secured.server.sql("SELECT pg_reload_conf()")


async def test_a_root_certificate_that_cannot_be_used(secured: Secured, tmp_path: Path) -> None:
    nonsense = tmp_path / "nonsense.pem"
    nonsense.write_text("no certificate")
    secret = tmp_path / "secret.pem"
    secret.write_bytes(secured.root.read_bytes())
    secret.chmod(0)
    tmp_path.chmod(0o755)
    for path, why in ((tmp_path / "none.pem", "no such file"), (nonsense, "holds no certificate"), (tmp_path, "")):
        with pytest.raises(ConfigurationError, match="SSL_ROOT_CERT.*cannot be used: .*" + why):
            await database(secured, "verify-full", path).open()
    with _not_root(), pytest.raises(ConfigurationError, match="may not be read"):
        await database(secured, "verify-full", secret).open()


@contextmanager
def _not_root() -> Iterator[None]:
    """As root every file can be read: be somebody else for a moment."""
    if os.geteuid() != 0:
        yield
        return
    os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(0)
