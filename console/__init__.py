"""The Jumpwatch terminal console."""

import os

# A key pressed just after a frame waits for the next one: 8 ms of waiting instead of 17. At rest no frame is drawn.
os.environ.setdefault("TEXTUAL_FPS", "120")
