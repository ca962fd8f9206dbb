"""The console as lines of text, for screen readers, braille displays and terminals that cannot be drawn on."""
