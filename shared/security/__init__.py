"""Who may do what: keys, tokens, what they grant, and what is kept of them."""
