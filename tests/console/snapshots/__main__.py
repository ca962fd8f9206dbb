"""``python -m tests.console.snapshots [--update] [NAME...]``: say what differs, or take what is now as right."""

from __future__ import annotations

import argparse
import asyncio
import sys

from console.screens.tabs import TABS
from tests.console.keywalk import every_key, pane_keys, screen_keys
from tests.console.snapshots.picture import difference
from tests.console.snapshots.scenes import EFFECTS, FOLDER, ROUTES, filled, one_drawer, path, pictures, routes, scenes
from tests.console.walking import walking


async def find_routes() -> None:
    """Walk every key and write down where the screens are found."""
    async with walking((80, 24), filled()) as walk:
        found = await every_key(walk)
    lines = [f"{name} {' '.join(keys)}" for name, keys in sorted(found.routes.items())]
    ROUTES.write_text("# screens, and the keys that lead there from the start\n" + "\n".join(lines) + "\n", "utf-8")
    effects = ["# what each key of the help was seen to do: to be read against what it says"]
    for tab in TABS:
        async with walking((80, 24), filled()) as walk:
            effects += (await pane_keys(walk, tab)).effects
    for name in one_drawer():
        async with walking((80, 24), filled()) as walk:
            effects += (await screen_keys(walk, name, routes()[name])).effects
    EFFECTS.write_text("\n".join(effects) + "\n", "utf-8")
    print(f"{len(lines)} screens, {found.tried} keys", *found.dead, sep="\n", file=sys.stderr)


async def main() -> int:
    """Compare every picture, or write it."""
    parser = argparse.ArgumentParser(prog="python -m tests.console.snapshots", description=__doc__)
    parser.add_argument("--update", action="store_true", help="store what is drawn now, and take away what is no more")
    parser.add_argument("names", nargs="*", help="parts of the names wanted; all where none is given")
    args = parser.parse_args()
    if args.update and not args.names:
        before = routes()
        await find_routes()
        if before.keys() != routes().keys():
            print("screens:", *sorted(before.keys() ^ routes().keys()), file=sys.stderr)
    differing, right = 0, set()
    for scene in scenes():
        if args.names and not any(name in scene.name for name in args.names):
            continue
        for size, now in (await pictures(scene)).items():
            file = path(scene.name, size)
            right.add(file)
            stored = file.read_text(encoding="utf-8") if file.exists() else ""
            if stored == now:
                continue
            differing += 1
            if args.update:
                file.write_text(now, encoding="utf-8")
                print(("new " if not stored else "changed ") + file.name)
            else:
                print(difference(file.stem, stored, now) if stored else f"{file.stem}: there is no picture")
    if args.update and not args.names:
        for file in set(FOLDER.glob("*.*x*.txt")) - right:
            file.unlink()
            print("gone", file.name)
    return int(bool(differing) and not args.update)


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
