"""What the fields of a request for a job may not be."""

from __future__ import annotations

from .bad_fields import Cases

JOB_FIELDS: Cases = {
    "an unknown kind": ({"kind": "dance"}, "kind"),
    "a kind that is a number": ({"kind": 1}, "kind"),
    "params are a list": ({"params": []}, "params"),
    "a parameter that is missing": ({"params": {}}, "params.wanted"),
    "a parameter that there is not": ({"params": {"wanted": "x", "to": "y"}}, "params.to"),
    "a parameter that is a number": ({"params": {"wanted": 5}}, "params.wanted"),
    "an empty parameter": ({"params": {"wanted": ""}}, "params.wanted"),
    "a parameter with a NUL": ({"params": {"wanted": "a\0b"}}, "params.wanted"),
    "a parameter that is too long": ({"params": {"wanted": "x" * 5000}}, "params.wanted"),
}
