"""What people keep here for themselves: conversations, prompts, notes about models."""
