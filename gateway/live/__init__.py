"""The server's live state: one snapshot a second for all who watch."""
