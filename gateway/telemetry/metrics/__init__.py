"""Everything that is counted, as Prometheus reads it."""
