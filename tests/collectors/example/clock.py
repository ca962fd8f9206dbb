"""A collector of one's own: is the host's clock held by NTP? Copy it into the folder ``collectors`` beside hosts.toml.

It asks chronyc(1) where chrony runs, else timedatectl(1). What the host lacks is absent, what cannot be read is an
error, and neither is ever shown as an offset of zero.
"""

from core.collectors.catalog import Collector
from core.collectors.output import absent, script, sections, unusable
from core.models import Finding, SectionStatus

# One line, for any login shell: no line ends, no "!". A mark before each part, and one at the end.
SCRIPT = (
    "if command -v chronyc >/dev/null 2>&1; then echo @jw chrony; chronyc -n -c tracking; "
    "elif command -v timedatectl >/dev/null 2>&1; then echo @jw timedatectl; timedatectl show -p NTPSynchronized; fi; "
    "echo @jw end"
)
FAR_S = 1.0  # an offset that Kerberos, TOTP and databases begin to mind


def parse(result):
    """Return the finding; raise DataCollectionError where the output is not in its format."""
    for part in sections("clock", result):
        text = part.text.strip()
        if part.name == "chrony":
            return chrony(text)
        if part.name == "timedatectl" and text in ("NTPSynchronized=yes", "NTPSynchronized=no"):
            return finding(text.endswith("yes"), None)
        raise unusable("clock", text or result.stderr.strip() or "no answer")
    return absent("clock", "neither chronyc nor timedatectl is there")


def chrony(text):
    """Read the 14 fields of ``chronyc -c tracking``: the fifth is the offset in seconds, the last the leap status."""
    fields = text.split(",")
    if text.startswith("506 ") or "Could not talk to daemon" in text:
        return absent("clock", "chrony is installed and does not run: systemctl start chrony")
    try:
        offset = float(fields[4])
    except (IndexError, ValueError):
        offset = None
    if len(fields) != 14 or offset is None or not abs(offset) < 1e9:
        raise unusable("clock", text[:100] or "no answer")
    return finding(fields[13] != "Not synchronised", offset)


def finding(synchronized, offset):
    """Judge what was read; an offset that is not told is None."""
    far = offset is not None and abs(offset) >= FAR_S
    detail = "" if synchronized else "the clock is not held by NTP"
    if far:
        detail = f"the clock is {offset:+.1f} s off"
    value = ({"synchronized": synchronized, "offset_s": offset},)
    return Finding("clock", SectionStatus.OK, value, detail, "info" if synchronized and not far else "warning")


COLLECTOR = Collector("clock", script(SCRIPT), parse, interval_s=300.0)
