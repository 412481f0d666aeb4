# The modes: what those may do who are known, and what everybody may.
#
# Input: `kronk.authorization` says what it is. Output:
#
#   reason   "ok", what `kronk.authentication` says against it, or "endpoint_not_authorized"
package kronk.modes

import data.kronk.authentication
import rego.v1

reason := authentication.reason if authentication.reason != "ok"

else := "ok" if permitted

else := "endpoint_not_authorized"

permitted if authentication.everybody

permitted if input.token.admin == true

permitted if input.class == "discovery"

permitted if {
	input.class == "inference"
	input.mode == "management"
}

permitted if {
	input.class == "inference"
	input.mode == "authenticated"
	not forbidden(input.endpoint)
}

permitted if {
	input.class == "inference"
	granted(input.endpoint)
}

permitted if {
	input.class == "reading"
	granted("monitoring")
}

permitted if {
	input.class == "delegation"
	granted("delegation")
}

granted(name) if input.token.endpoints[name].window == "unlimited"

granted(name) if input.token.endpoints[name].limit > 0

# A limit of 0 calls.
forbidden(name) if {
	input.token.endpoints[name]
	not granted(name)
}
