# Who has to be known, and whether the caller is.
#
# Input: `kronk.authorization` says what it is. Output:
#
#   reason   "ok", "unauthorized" (nothing was shown) or "invalid_token" (what was shown is no good)
package kronk.authentication

import rego.v1

default reason := "unauthorized"

reason := "ok" if everybody

else := "ok" if placeholder

else := "invalid_token" if input.problem != null

else := "ok" if known

else := "ok" if no_token_needed

# Nobody is asked who he is, and a bad token does no harm.
everybody if input.mode == "open"

everybody if input.class == "public"

# Signature, dates and revocation were checked before: a token that is not good is no `token` but a
# `problem`.
known if input.token.verified == true

# What clients that insist on a key are given where none is needed: "none", "sk-xxx". A token that was
# good once is not that: who sends one is told.
placeholder if {
	no_token_needed
	input.problem == "invalid"
}

# Models are for everybody here; only what manages them is not.
no_token_needed if {
	input.mode == "management"
	input.class in {"discovery", "inference"}
}
