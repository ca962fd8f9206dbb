"""Pictures of every pane and screen as text: ``python -m tests.console.snapshots --update`` makes them anew."""
