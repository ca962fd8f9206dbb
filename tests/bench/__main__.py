"""``python -m tests.bench NAME [--quick] [--json]``."""

from __future__ import annotations

import argparse
import sys
from importlib import import_module

from tests.bench.figures import report

BENCHES = ("alerts", "bus", "fleet", "ingest", "poll", "queries", "replay", "startup", "ui")


def main() -> int:
    """Run one benchmark; exit status 1 where an aim is missed."""
    parser = argparse.ArgumentParser(prog="python -m tests.bench", description=__doc__)
    parser.add_argument("name", choices=BENCHES)
    parser.add_argument("--quick", action="store_true", help="end within 45 s")
    parser.add_argument("--json", action="store_true", help="one object a figure on stdout")
    parser.add_argument("--minutes", type=float, help="how long the largest fleet is watched; for fleet alone")
    args = parser.parse_args()
    if args.minutes is not None and args.name != "fleet":
        parser.error("--minutes goes with fleet")
    more = {} if args.minutes is None else {"minutes": args.minutes}
    figures = import_module(f"tests.bench.{args.name}").run(quick=args.quick, **more)
    return report(figures, as_json=args.json)


if __name__ == "__main__":
    sys.exit(main())
