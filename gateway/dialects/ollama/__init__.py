"""Ollama's API: its requests to jobs, and events to its lines and objects.

Where it differs from Ollama on purpose. A prompt that does not fit is refused and never cut, so
`num_ctx`, which makes a window there, asks for nothing here; what else an `options` says of loading
a model is its configuration's affair. Token ids of a conversation (`context`) are not returned: the
prefix cache finds it again by itself. Embeddings always have length 1.
"""
