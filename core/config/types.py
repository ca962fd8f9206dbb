"""Field types of the settings: what people write (2 days, 256MiB, a,b,c) read into what a consumer can use as it is."""

from __future__ import annotations

import ipaddress
import json
import re
from dataclasses import dataclass
from datetime import timedelta
from pathlib import Path
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, SecretStr

_UNITS_TIME = {
    "s": 1, "sec": 1, "second": 1, "m": 60, "min": 60, "minute": 60, "h": 3600, "hour": 3600,
    "d": 86400, "day": 86400, "w": 604800, "week": 604800,
}  # fmt: skip
_UNITS_BYTES = {"": 1, "b": 1}
for _power, _letter in enumerate("kmgt", start=1):
    _UNITS_BYTES |= {_letter: 1024**_power, f"{_letter}ib": 1024**_power, f"{_letter}b": 1000**_power}
_QUANTITY = re.compile(r"\s*(\d+(?:\.\d+)?)\s*([a-z]*)\s*", re.IGNORECASE)
_LABEL = re.compile(r"[a-z0-9_](?:[a-z0-9_-]{0,61}[a-z0-9_])?", re.IGNORECASE)
_ZONE = re.compile(r"[A-Za-z0-9_.~-]{1,64}")
_ORIGIN = re.compile(r"(https?)://(\[[^\]/]+\]|[^\]/:@?#\[]+)(:\d{1,5})?/?", re.IGNORECASE)
_WEB = re.compile(r"https?://(?:[^/@\s]*@)?(\[[^\]/]+\]|[^\]/:@?#\[]+)(?::(\d{1,5}))?(?:[/?#].*)?", re.IGNORECASE)
_COLLECTOR = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.:-]{0,62}")
_SHELL_SIGNS = frozenset("'`\";&<>|(){}$")
MAX_PATH, MAX_NAME, MAX_SECRET = 4000, 255, 8192  # bytes
_MAX_SOCKET_FOLDER = 107 - len("/.s.PGSQL.65535")  # sun_path (unix(7))


def parse_duration(value: Any) -> Any:
    """Read "2 days", "36h" or plain seconds; anything else is left to pydantic (ISO 8601 among it)."""
    if isinstance(value, str) and (match := _QUANTITY.fullmatch(value)):
        unit = match[2].lower() or "s"
        factor = _UNITS_TIME.get(unit) or _UNITS_TIME.get(unit.removesuffix("s"))
        if factor is not None:
            value = float(match[1]) * factor
    if isinstance(value, float | int) and not isinstance(value, bool):
        try:
            return timedelta(seconds=value)
        except OverflowError:
            return timedelta.max  # over every range: the message will say so
    return value


def _whole_seconds(value: timedelta) -> timedelta:
    # A database is told whole seconds; a fraction would look like a change at every comparison with what it keeps.
    if value.microseconds:
        raise ValueError("must be whole seconds")
    return value


def parse_bytes(value: Any) -> Any:
    """Read "256MiB", "1k" or a plain number of bytes; anything else is left to pydantic."""
    if isinstance(value, str) and (match := _QUANTITY.fullmatch(value)):
        factor = _UNITS_BYTES.get(match[2].lower())
        if factor is not None:
            return int(min(float(match[1]) * factor, 2.0**63))  # 400 digits are infinite, and over every range
    return value


def parse_list(value: Any) -> Any:
    """Read a list given as JSON ("[...]") or with commas; the sources hand texts over as they are (no JSON before)."""
    if not isinstance(value, str):
        return value
    if not value.lstrip().startswith("["):
        return [item for part in value.split(",") if (item := part.strip())]
    try:
        return json.loads(value)
    except (ValueError, RecursionError):
        raise ValueError('must be a JSON list (["a", "b"]) or words with commas between') from None


def _printable(value: str) -> str:
    if not value or value != value.strip():
        raise ValueError("must not be empty, nor begin or end with a space")
    if not value.isprintable():
        raise ValueError("must not hold control or other invisible characters")
    if len(value.encode()) > MAX_NAME:
        raise ValueError(f"must not be longer than {MAX_NAME} bytes")
    return value


def _postgres_name(value: str) -> str:
    if len(_printable(value).encode()) > 63:  # NAMEDATALEN - 1: the server would cut the rest off
        raise ValueError("must not be longer than 63 bytes")
    return value


def _ascii(value: str) -> str:
    if not value.isascii():
        raise ValueError("must be of ASCII characters: the server would show others as question marks")
    return value


def _secret(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if "\0" in text:
        raise ValueError("must not hold a NUL character")
    if len(text.encode()) > MAX_SECRET:
        raise ValueError(f"must not be longer than {MAX_SECRET} bytes")
    return value


def clean_path(path: Path) -> Path:
    """Return the path absolute and with ~ resolved; ValueError for what no file system takes."""
    try:
        whole = path.expanduser().absolute()
        name = str(whole).encode()
    except RuntimeError:
        raise ValueError("the home folder that ~ stands for is not known") from None
    except UnicodeEncodeError:
        raise ValueError("must be UTF-8 text: it is logged and printed") from None
    except OSError:
        raise ValueError("must be absolute, for the current folder is gone") from None
    if any(byte < 32 or byte == 127 for byte in name):
        raise ValueError("must not hold control characters")
    if len(name) > MAX_PATH or any(len(part) > 255 for part in name.split(b"/")):
        raise ValueError(f"must not be longer than {MAX_PATH} bytes, nor a part of it than 255")
    return whole


def _remote_path(value: str) -> str:
    if not _printable(value).startswith("/"):
        raise ValueError("must be an absolute path")
    return value


def clean_host(value: str) -> str:
    """Return a host name (international ones as ASCII) or an address without brackets; ValueError for others."""
    bare = value.strip()
    if bare.startswith("[") and bare.endswith("]"):
        bare = bare[1:-1]
    if ":" in bare:
        _, percent, zone = bare.partition("%")
        try:
            ipaddress.IPv6Address(bare)
        except ValueError:
            raise ValueError("must be a host name or an address") from None
        if percent and not _ZONE.fullmatch(zone):
            raise ValueError("must be an address with a zone of letters and digits")
        return bare
    if not bare.isascii():
        try:
            bare = bare.encode("idna").decode("ascii")
        except UnicodeError:
            raise ValueError("must be a host name or an address") from None
    labels = bare.removesuffix(".").split(".")
    if len(bare) > 253 or not all(_LABEL.fullmatch(label) for label in labels):
        raise ValueError("must be a host name or an address")
    return bare


def _server(value: str) -> str:
    """A host, or the folder of a Unix socket."""
    if not value.startswith("/"):
        return clean_host(value)
    if len(_printable(value).encode()) > _MAX_SOCKET_FOLDER or {",", " "} & set(value):
        # A comma parts hosts in a URL, and a space there is read back in two ways (libpq, SQLAlchemy).
        raise ValueError(f"must be a socket folder of at most {_MAX_SOCKET_FOLDER} bytes, without comma or space")
    return value


def is_local(host: str) -> bool:
    """Whether a host is this very machine: localhost or a loopback address."""
    if host.lower() == "localhost":
        return True
    try:
        return ipaddress.ip_address(host.partition("%")[0]).is_loopback
    except ValueError:
        return False


def _login(value: str) -> str:
    """A user name for SSH: what ssh(1) takes (ssh.c, valid_ruser) and SASLprep (RFC 4013) lets through."""
    if value.startswith("-") or value.endswith("\\") or _SHELL_SIGNS & set(value) or " -" in value:
        raise ValueError("must be a user name without shell characters")  # ProxyCommand may put it into a command
    if not value.isascii() and not _prepared(value):
        raise ValueError("must be a user name of letters in one direction (RFC 4013)")
    return _printable(value)


def _prepared(value: str) -> bool:
    import stringprep  # late: large tables, for the few names beyond ASCII
    import unicodedata

    kept = [char for char in value if not stringprep.in_table_b1(char)]
    if any(stringprep.in_table_a1(char) for char in value) or not kept:
        return False
    text = unicodedata.normalize("NFKC", "".join(kept))
    right = [stringprep.in_table_d1(char) for char in text]
    one_way = not any(right) or all(right)
    tables = (stringprep.in_table_c12, stringprep.in_table_c21_c22, stringprep.in_table_c3, stringprep.in_table_c4,
              stringprep.in_table_c5, stringprep.in_table_c6, stringprep.in_table_c7, stringprep.in_table_c8,
              stringprep.in_table_c9)  # fmt: skip
    return one_way and not any(char in _SHELL_SIGNS or any(table(char) for table in tables) for char in text)


def _api_key(value: SecretStr) -> SecretStr:
    text = value.get_secret_value()
    if not 1 <= len(text) <= 512 or not all("!" <= char <= "~" for char in text):
        raise ValueError("each key must be 1 to 512 visible ASCII characters")  # it travels in an HTTP header
    return value


def _origin(value: str) -> str:
    if value == "*":
        return value
    match = _ORIGIN.fullmatch(value)
    if match is None or int((match[3] or ":0")[1:]) > 65535:
        raise ValueError("each origin must be * or like https://host or https://host:port, without a path")
    host = clean_host(match[2]).lower()
    return f"{match[1].lower()}://{f'[{host}]' if ':' in host else host}{match[3] or ''}"


def _collector(value: str) -> str:
    if not _COLLECTOR.fullmatch(value):
        raise ValueError("each must be a collector's name, such as services or drives")
    return value


def _collector_interval(value: str) -> str:
    """``processes=60`` or ``updates=12h``: kept as NAME=SECONDS."""
    name, sign, text = value.partition("=")
    every = parse_duration(text.strip())
    if not sign or not _COLLECTOR.fullmatch(name.strip()) or not isinstance(every, timedelta):
        raise ValueError("each must be like processes=60 or updates=12h")
    if not timedelta(seconds=5) <= every <= timedelta(days=30):
        raise ValueError("each interval must be from 5 seconds to 30 days")
    return f"{name.strip()}={every.total_seconds():g}"


def _web_url(value: SecretStr) -> SecretStr:
    text = _secret(value).get_secret_value()
    match = _WEB.fullmatch(text)
    if match is None or not text.isprintable() or " " in text or int(match[2] or 0) > 65535:
        raise ValueError("each must be like https://host/path")
    clean_host(match[1])
    return value


def web_host(url: str) -> str:
    """Return the host of a URL that passed as WebUrl."""
    match = _WEB.fullmatch(url)
    return clean_host(match[1]) if match else ""


@dataclass(frozen=True, slots=True)
class Kind:
    """What a value is, in the words of the reference."""

    text: str


Bytes = Annotated[int, BeforeValidator(parse_bytes), Kind("size")]
Duration = Annotated[timedelta, BeforeValidator(parse_duration), AfterValidator(_whole_seconds), Kind("duration")]
HomePath = Annotated[Path, AfterValidator(clean_path), Kind("path")]
HostName = Annotated[str, AfterValidator(clean_host), Kind("host or address")]
Server = Annotated[str, AfterValidator(_server), Kind("host, address or folder")]
Login = Annotated[str, AfterValidator(_login), Kind("user name")]
Name = Annotated[str, AfterValidator(_printable), Kind("name")]
PostgresName = Annotated[str, AfterValidator(_postgres_name), Kind("name of at most 63 bytes")]
AsciiName = Annotated[
    str, AfterValidator(_postgres_name), AfterValidator(_ascii), Kind("ASCII name of at most 63 characters")
]
RemotePath = Annotated[str, AfterValidator(_remote_path), Kind("absolute path")]
Secret = Annotated[SecretStr, AfterValidator(_secret), Kind("secret")]
ApiKey = Annotated[SecretStr, AfterValidator(_api_key)]
Origin = Annotated[str, AfterValidator(_origin)]
WebUrl = Annotated[SecretStr, AfterValidator(_web_url)]
Collectors = Annotated[
    tuple[Annotated[str, AfterValidator(_collector)], ...], BeforeValidator(parse_list), Kind("list of names")
]
CollectorIntervals = Annotated[
    tuple[Annotated[str, AfterValidator(_collector_interval)], ...],
    BeforeValidator(parse_list),
    Kind("list of name=duration"),
]
ApiKeys = Annotated[tuple[ApiKey, ...], BeforeValidator(parse_list), Kind("list of secrets")]
Origins = Annotated[tuple[Origin, ...], BeforeValidator(parse_list), Kind("list of origins, or `*`")]
WebUrls = Annotated[tuple[WebUrl, ...], BeforeValidator(parse_list), Kind("list of secret URLs")]
