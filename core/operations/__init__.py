"""What may be done to the database: planned with exact targets, confirmed by typing, gated, audited."""

from core.operations.catalog import ACTIONS, Action, short_name
from core.operations.gate import Gate
from core.operations.service import Operations

__all__ = ["ACTIONS", "Action", "Gate", "Operations", "short_name"]
