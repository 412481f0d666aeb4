"""`python -P -m kronk.gateway`, started by the supervisor."""

from kronk.shared.importing import only_imports

with only_imports():
    from .main import main

main()
