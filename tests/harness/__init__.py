"""What the tests of running servers share."""
