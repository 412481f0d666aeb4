"""What fields of requests about tokens may not be, and which field the error names."""

from __future__ import annotations

from harness.bad_fields import Cases

TOKEN_FIELDS: Cases = {
    "a duration that is a number": ({"duration": 3600}, "duration"),
    "a duration without a unit": ({"duration": "3600"}, "duration"),
    "a duration of no time": ({"duration": "0"}, "duration"),
    "endpoints that are a text": ({"endpoints": "chat-completions"}, "endpoints"),
    "no endpoint": ({"endpoints": []}, "endpoints"),
    "an endpoint that is none": ({"endpoints": ["chat-completion"]}, "endpoints"),
    "an endpoint twice": ({"endpoints": ["rerank", "rerank:5/day"]}, "endpoints"),
    "a limit that is none": ({"endpoints": ["rerank:5/hour"]}, "endpoints"),
    "a model that is none": ({"models": ["../x"]}, "models"),
    "tokens without a window": ({"tokens": "100"}, "tokens"),
    "tokens that are a number": ({"tokens": 100}, "tokens"),
    "no concurrency": ({"concurrency": 0}, "concurrency"),
    "true concurrency": ({"concurrency": True}, "concurrency"),
    "an admin with limits": ({"admin": True}, "endpoints"),
    "an admin by a text": ({"admin": "yes"}, "admin"),
    "a name that is a number": ({"name": 7}, "name"),
    "a name of two lines": ({"name": "a\nb"}, "name"),
    "a subject that is none": ({"subject": "root"}, "subject"),
}
INSPECT_FIELDS: Cases = {
    "a token that is a number": ({"token": 7}, "token"),
    "no token": ({"token": None}, "token"),
}
REVOKE_FIELDS: Cases = {
    "a subject that is a number": ({"subject": 7}, "subject"),
    "a subject that is none": ({"subject": "root"}, "subject"),
    "both": ({"token": "e30.e30.e30"}, "subject"),
    "neither": ({"subject": None}, "subject"),
    "a reason of two lines": ({"reason": "a\nb"}, "reason"),
    "a long reason": ({"reason": "a" * 201}, "reason"),
}
