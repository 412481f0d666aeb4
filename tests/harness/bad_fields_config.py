"""What fields of requests about the model-config file may not be, and which field is named."""

from __future__ import annotations

from harness.bad_fields import Cases
from kronk.gateway.routes.config_file import MOST_BYTES

CONFIG_CHECK_FIELDS: Cases = {
    "a text that is a number": ({"text": 7}, "text"),
    "a text that is too long": ({"text": "#" * (MOST_BYTES + 1)}, "text"),
    "a model that is a number": ({"model": 7}, "model"),
}
CONFIG_EDIT_FIELDS: Cases = {
    "a text that is a number": ({"text": 7}, "text"),
    "a text that is too long": ({"text": "#" * (MOST_BYTES + 1)}, "text"),
    "a model without a name": ({"model": " "}, "model"),
    "a key that is a number": ({"key": 7}, "key"),
    "a key that is none": ({"key": "temperature"}, "key"),
    "a parameter that is none": ({"key": "sampling_parameters.heat"}, "key"),
    "a value of another kind": ({"value": "often"}, "value"),
    "a value out of range": ({"key": "n_batch", "value": 1}, "value"),
    "a map for a list": ({"key": "aliases", "value": {"a": 1}}, "value"),
    "a parameter out of range": ({"key": "sampling_parameters.top_p", "value": 2}, "value"),
}
