"""Audit rows carry the correlation id of the key press or command that they came of."""

from __future__ import annotations

from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column; without a default it rewrites nothing and locks the table for a moment only."""
    op.execute("ALTER TABLE audit ADD COLUMN IF NOT EXISTS correlation_id text")
