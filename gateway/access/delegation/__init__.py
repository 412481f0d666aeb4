"""One Kronk asks another who has a token, and has it count calls: both sides."""
