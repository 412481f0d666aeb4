"""What a model writes, told apart: thinking, tool calls and text. One module for each family."""
