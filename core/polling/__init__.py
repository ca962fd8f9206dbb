"""Polling: one poller a host, one supervisor over all; meets SSH and storage through ports alone."""
