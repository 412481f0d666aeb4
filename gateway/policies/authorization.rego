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
#   models         optional: the only models that may be used, by names and patterns with `*`
#   cache_seconds  optional: how long the answer may be used again; 0 is not at all. Without it, until
#                  the token or a policy changes
#
# Rules of your own take the place of this file, and may ask `modes.reason` as it does.
package kronk.authorization

import data.kronk.modes
import rego.v1

default allow := false

allow if reason == "ok"

reason := modes.reason
