"""The reverse proxy SWAG: its proxy-confs, and when its certificates end (openssl-x509(1))."""

from __future__ import annotations

import re
import ssl
from datetime import UTC, datetime, timedelta

from core.collectors.collector import Collector
from core.collectors.nginx_conf import parse_conf
from core.collectors.output import (
    Section,
    absent,
    broken,
    denied,
    first_line,
    forbidden,
    refused,
    script,
    sections,
    whole,
)
from core.collectors.text import clean
from core.models import CertificateFigures, Finding, Level, ProxiesFigures, ProxyFigures, SectionStatus
from core.ports import CommandResult

KIND = "proxies"
DEFAULT_FOLDER = "/config"
DEFAULT_WARNING = timedelta(days=14)
_FILES, _FILE_BYTES = 300, 65536
# Names with anything but these characters are passed over. Lines get a blank before them, so that none looks like a
# mark; comment lines are emptied, which keeps the numbers of the others. Without openssl python3 reads the end date.
_SCRIPT = (
    'd=$2; c=$d/nginx/proxy-confs; l=$($1 ls -1 "$c"); r=$?; echo @jw exit $r; if [ $r -eq 0 ]; then '
    "echo @jw now $(date +%s); "
    'echo @jw samples $(printf "%s\\n" "$l" | grep -c "[.]sample$"); '
    'printf "%s\\n" "$l" | grep "^[A-Za-z0-9._@-]*[.]conf$" | head -n ' + str(_FILES) + " | while read -r f; do "
    f'if t=$($1 head -c {_FILE_BYTES} "$c/$f" </dev/null); then echo @jw conf $f; '
    'printf "%s\\n" "$t" | sed "s/^[[:space:]]*#.*//; s/^/ /"; else echo @jw shut $f; fi; done; '
    'k=$($1 ls -1 "$d/etc/letsencrypt/live" 2>&1); r=$?; echo @jw live $r; printf "%s\\n" "$k" | sed "s/^/ /"; '
    '[ $r -eq 0 ] || k=; k=$(printf "%s\\n" "$k" | grep "^[A-Za-z0-9._*@-]*[.][A-Za-z0-9._*@-]*$"); '
    "o=none; if command -v openssl >/dev/null 2>&1; then o=openssl; "
    "elif command -v python3 >/dev/null 2>&1; then o=python3; fi; echo @jw tool $o; "
    'printf "%s\\n" "${k:-@}" | head -n 100 | while read -r n; do '
    "case $n in @) p=$d/keys/cert.crt;; *) p=$d/etc/letsencrypt/live/$n/fullchain.pem;; esac; "
    "echo @jw cert $n; case $o in "
    'openssl) $1 openssl x509 -noout -enddate -subject -issuer -in "$p" 2>&1 </dev/null | sed "s/^/ /"; '
    '$1 openssl x509 -noout -ext subjectAltName -in "$p" 2>/dev/null </dev/null | sed "s/^/ /";; '
    'python3) python3 -c "import ssl,sys; print(\\"notAfter=\\" + ssl._ssl._test_decode_cert(sys.argv[1])'
    '[\\"notAfter\\"])" "$p" 2>&1 </dev/null | sed "s/^/ /";; esac; done; fi; echo @jw end'
)
_FIELD = re.compile(r"(notAfter|subject|issuer)= ?(.*)")
_NAME = re.compile(r"DNS:([^,\s]{1,253})")


def proxies_of(folder: str = DEFAULT_FOLDER, warning: timedelta = DEFAULT_WARNING) -> Collector:
    """Return the collector of the SWAG whose configuration lies in that folder; a certificate that ends within
    ``warning`` is a warning."""
    argv = (*script(_SCRIPT), "jumpwatch", "", folder)
    return Collector(
        KIND,
        argv,
        lambda result: _parse(result, folder, warning),
        interval_s=300.0,
        timeout_s=30.0,
        max_output=1 << 21,
        wants_root=True,
    )


def _parse(result: CommandResult, folder: str, warning: timedelta) -> Finding:
    gone = refused(KIND, result, "ls")
    if gone is not None:
        return gone
    parts = sections(KIND, result)
    words = {part.name: part.words for part in parts}
    if not words.get("exit"):
        raise broken(KIND, result.stdout)
    if words["exit"][0] != "0":
        if denied(result.stderr):
            return forbidden(KIND, f"{folder}/nginx/proxy-confs may not be read by this login: allow sudo -n for ls, "
                             "head and openssl, and put proxies into the host's sudo list")  # fmt: skip
        return absent(KIND, f"no SWAG in {folder}: JUMPWATCH_SWAG_CONFIG_DIR says where its folder is on the host")
    now = datetime.fromtimestamp(whole(KIND, _first(words, "now"), 1 << 40), UTC)
    proxies = tuple(_proxy(part) for part in parts if part.name in ("conf", "shut") and part.words)
    told = [part for part in parts if part.name == "cert" and part.words]
    certificates, note = _certificates(told, words, parts, folder, now, warning)
    value = ProxiesFigures(proxies, certificates, whole(KIND, _first(words, "samples"), 100_000), note)
    return Finding(KIND, SectionStatus.OK, value, _said(value), _level(value))


def _first(words: dict[str, tuple[str, ...]], name: str) -> str:
    return (words.get(name) or ("",))[0]


def _proxy(part: Section) -> ProxyFigures:
    file = part.words[0]
    if part.name == "shut":
        return ProxyFigures(clean(file), "other", problem="this login may not read it")
    return parse_conf(file, "\n".join(line.removeprefix(" ") for line in part.text.split("\n")))


def _certificates(
    told: list[Section], words: dict[str, tuple[str, ...]], parts: list[Section], folder: str, now: datetime,
    warning: timedelta,
) -> tuple[tuple[CertificateFigures, ...] | None, str]:  # fmt: skip
    """Return the certificates, and why there are none to tell."""
    if _first(words, "tool") == "none":
        return None, "neither openssl nor python3 is there: when certificates end is not known"
    live = next((part.text for part in parts if part.name == "live"), "")
    shut = _first(words, "live") != "0" and denied(live)
    found, refused_any = [], shut
    for part in told:
        if part.words[0] == "@" and ("No such file" in part.text or shut):
            continue  # no certificate of its own beside those that are shut, or not there
        refused_any = refused_any or denied(part.text)
        found.append(_certificate(part, folder, now, warning))
    known = [one for one in found if one.not_after is not None]
    if refused_any and not known:
        return None, "certificates may not be read by this login: allow sudo -n ls and sudo -n openssl"
    return tuple(found), ""


def _certificate(part: Section, folder: str, now: datetime, warning: timedelta) -> CertificateFigures:
    own = part.words[0] == "@"
    name = "cert.crt" if own else clean(part.words[0])
    path = f"{folder}/keys/cert.crt" if own else f"{folder}/etc/letsencrypt/live/{name}/fullchain.pem"
    fields = {found[1]: clean(found[2].strip())[:300] for line in part.text.split("\n")[:50]
              if (found := _FIELD.match(line.strip()))}  # fmt: skip
    names = tuple(clean(each) for each in _NAME.findall(part.text)[:50])
    try:
        end = datetime.fromtimestamp(ssl.cert_time_to_seconds(fields.get("notAfter", "")), UTC)
    except (ValueError, OverflowError, OSError):
        why = first_line(part.text) or "nothing was told"
        return CertificateFigures(name, path, names=names, problem=f"cannot be read: {why}")
    left = end - now
    ended = left <= timedelta(0)
    problem = ""
    if ended:
        problem = f"ended {_days(-left)} ago"
    elif left < warning:
        problem = f"ends in {_days(left)}"
    return CertificateFigures(
        name, path, end, fields.get("subject", ""), fields.get("issuer", ""), names, ended, problem
    )


def _days(left: timedelta) -> str:
    hours = int(left.total_seconds() // 3600)
    return f"{hours // 24} days" if hours >= 48 else f"{hours} hours"


def _said(value: ProxiesFigures) -> str:
    told = [f"certificate {one.name} {one.problem}" for one in value.certificates or () if one.problem]
    told += [f"{one.file}: {one.problem}" for one in value.proxies if one.problem]
    return "; ".join(told[:4]) + (f"; and {len(told) - 4} more" if len(told) > 4 else "") if told else value.note


def _level(value: ProxiesFigures) -> Level:
    if any(one.ended for one in value.certificates or ()):
        return "error"
    odd = any(one.problem for one in value.proxies) or any(one.problem for one in value.certificates or ())
    return "warning" if odd else "info"


PROXIES = proxies_of()
