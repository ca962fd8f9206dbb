"""The Jumpwatch terminal console."""
