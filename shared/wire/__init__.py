"""The typed messages between Kronk's processes, and the sockets that carry them."""
