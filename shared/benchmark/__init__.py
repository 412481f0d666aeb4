"""How fast a server answers: what is asked of it, what is made of the answers, and what was before.

Used by `kronk bench` and whoever else wants to measure; nothing here prints.
"""
