"""Panes: each draws one FleetView; none knows storage or SSH."""
