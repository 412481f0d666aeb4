"""Some of those who ask."""

from __future__ import annotations

from kronk.shared.security.grants import ENDPOINTS, UNLIMITED, Grants
from kronk.shared.security.identity import ANONYMOUS, OPEN, Identity

ALL = Grants(dict.fromkeys(ENDPOINTS, UNLIMITED))
ANN = Identity("11111111-1111-4111-8111-111111111111", "ann", grants=ALL)
BOB = Identity("22222222-2222-4222-8222-222222222222", "bob", grants=ALL)
ADMIN = Identity("99999999-9999-4999-8999-999999999999", "admin", admin=True)
EVERYBODY = (ANN, BOB, ADMIN, ANONYMOUS, OPEN)
