"""What holds for every request before anybody is asked who he is: its form, way and pace."""
