"""Alembic's revisions, forward only, run from the program."""
