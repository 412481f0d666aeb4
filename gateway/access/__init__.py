"""Who asks, what that may do here, and what it costs: before a route is run, and after."""
