"""Chat templates as all but workers see them: where they are, and what is wrong with one."""
