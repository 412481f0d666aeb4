"""Images and recordings in prompts, through llama.cpp's mtmd."""
