"""The commands behind the parser; each module is imported only when its command runs."""
