"""Actions: what a request becomes between the key and the operations."""
