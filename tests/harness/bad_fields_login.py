"""What the fields of the browser's login may not be."""

from __future__ import annotations

from .bad_fields import Cases

LOGIN_FIELDS: Cases = {
    "a password that is a number": ({"password": 5}, "password"),
    "a password that is null": ({"password": None}, "password"),
    "a password that is a list": ({"password": ["correct horse"]}, "password"),
    "a password that is too long": ({"password": "x" * 1025}, "password"),
    "a field that there is not": ({"remember": True}, "remember"),
}
PASSWORD_FIELDS: Cases = {
    "a password that is a number": ({"password": 5}, "password"),
    "a password that is a list": ({"password": ["correct horse"]}, "password"),
    "a password that is empty": ({"password": ""}, "password"),
    "a password that is too short": ({"password": "x" * 11}, "password"),
    "a password of spaces": ({"password": " " * 40}, "password"),
    "a password that is too long": ({"password": "x" * 1025}, "password"),
    "a field that there is not": ({"length": 5}, "length"),
}
