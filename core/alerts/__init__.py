"""Rules over what the hosts say, and the alerts that come of them; pure, over a clock that is handed in."""
