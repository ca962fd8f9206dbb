"""Widgets drawn by the line API."""
