"""SSH as the rest of core sees it: sessions behind ports, host keys under review, errors of our own family."""
