"""Infrastructure under Jumpwatch: configuration, database, events, exceptions, polling. Knows no screen."""
