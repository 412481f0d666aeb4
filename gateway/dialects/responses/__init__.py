"""OpenAI's Responses: requests, stored conversations, answers."""
