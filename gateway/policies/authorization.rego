# What a caller may do. This is the decision that Kronk asks for: data.kronk.authorization
#
# Input:
#
#   mode      "open", "management", "authenticated" or "protected"
#   class     what the route is: "public", "discovery", "inference", "reading", "administration" or
#             "delegation"
#   endpoint  with class "inference": what has to be granted, such as "chat-completions"; else null
#   method    such as "POST"
#   route     such as "/v1/models/{model:path}"
#   token     null, or what was verified of the caller: {"verified": true, "via", "issuer", "key",
#             "subject", "name", "admin", "endpoints": {name: {"limit", "window"}}, "models"}
#   problem   null, or what is wrong with the token that was sent; `token` is null then
#
# Output:
#
#   allow          whether it may
#   reason         "ok", "unauthorized" and "invalid_token" (401), "endpoint_not_authorized" (403), or
#                  a word of your own (403)
#   cache_seconds  optional: how long the answer may be used again; 0 is not at all. Without it, until
#                  the token or a policy changes
package kronk.authorization

import data.kronk.authentication
import rego.v1

default allow := false

allow if reason == "ok"

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
