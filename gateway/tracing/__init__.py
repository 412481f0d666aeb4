"""Traces: what a request went through, across processes, sent to a collector when there is one.

Nothing in here imports OpenTelemetry but `export`, which is imported when a collector answers.
"""
