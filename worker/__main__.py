"""`python -P -m kronk.worker`, started by the supervisor."""

from .main import main

main()
