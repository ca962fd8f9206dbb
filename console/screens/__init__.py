"""Screens: what fills or covers the terminal."""
