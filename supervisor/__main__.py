"""`python -P -m kronk.supervisor`, run by `kronk server start`."""

from kronk.shared.importing import only_imports

with only_imports():
    from .main import main

main()
