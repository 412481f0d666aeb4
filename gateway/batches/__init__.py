"""Uploaded files, and batches: files of requests that are answered when there is room for them."""
