"""The demo fleet: many simulated hosts behind real SSH, in a process of their own."""
