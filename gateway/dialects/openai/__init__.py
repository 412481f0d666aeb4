"""OpenAI's own forms, but for the Responses API, which has a package of its own."""
