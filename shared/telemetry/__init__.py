"""What is measured of requests, models and processes, and how it is put together."""
