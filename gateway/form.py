"""An upload's form, part by part as its bytes arrive."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header

from kronk.shared.errors import InvalidArgument

_MOST_FIELDS = 16
_LONGEST_FILENAME = 512

FILE_FIELD = "file"

# It warns of what is wrong with a form: that is the client's fault, and the client is told.
logging.getLogger("python_multipart").setLevel(logging.ERROR)


class Form:
    """Feed it the body; the content of the file goes to `write` at once, nothing of it is kept.

    The other fields may have `longest_field` bytes each. Everything wrong raises an
    `InvalidArgument`, in `feed` or in `end`.
    """

    def __init__(
        self, content_type: str, write: Callable[[bytes], None], longest_field: int
    ) -> None:
        kind, options = parse_options_header(content_type)
        boundary = options.get(b"boundary")
        if kind != b"multipart/form-data" or not boundary:
            raise InvalidArgument(
                "The body must be multipart/form-data with a boundary in its Content-Type"
            )
        self.fields: dict[str, str] = {}
        self.filename: str | None = None
        self._write = write
        self._longest_field = longest_field
        self._over = False
        self._header = b""
        self._value = b""
        self._headers: dict[bytes, bytes] = {}
        self._field = ""
        self._text = bytearray()
        self._parser = self._make_parser(boundary)

    def feed(self, data: bytes) -> None:
        """The next bytes of the body."""
        try:
            self._parser.write(data)
        except FormParserError as error:
            raise InvalidArgument(f"The body is not a multipart form: {error}") from error

    def end(self) -> Mapping[str, str]:
        """The body is complete: the fields beside the file."""
        if not self._over:
            raise InvalidArgument("The body ends before its closing boundary")
        if self.filename is None:
            raise InvalidArgument("missing file field", param=FILE_FIELD)
        return self.fields

    def _make_parser(self, boundary: bytes) -> MultipartParser:
        try:
            return MultipartParser(
                boundary,
                {
                    "on_part_begin": self._on_part_begin,
                    "on_header_field": self._on_header_field,
                    "on_header_value": self._on_header_value,
                    "on_header_end": self._on_header_end,
                    "on_headers_finished": self._on_headers_finished,
                    "on_part_data": self._on_part_data,
                    "on_part_end": self._on_part_end,
                    "on_end": self._on_end,
                },
            )
        except FormParserError as error:
            raise InvalidArgument(f"The body is not a multipart form: {error}") from error

    # From the parser. Its spans are views into what was fed.

    def _on_part_begin(self) -> None:
        self._headers = {}
        self._text = bytearray()

    def _on_header_field(self, data: bytes, start: int, end: int) -> None:
        self._header += data[start:end]

    def _on_header_value(self, data: bytes, start: int, end: int) -> None:
        self._value += data[start:end]

    def _on_header_end(self) -> None:
        self._headers[self._header.lower()] = self._value
        self._header = self._value = b""

    def _on_headers_finished(self) -> None:
        _, options = parse_options_header(self._headers.get(b"content-disposition"))
        name, filename = options.get(b"name"), options.get(b"filename")
        if name is None:
            raise InvalidArgument("A part of the form has no name")
        # The parser has read it as Latin-1; clients write UTF-8.
        self._field = name.decode(errors="replace")
        if self._field == FILE_FIELD:
            self._begin_file(filename)
        elif filename is not None:
            raise InvalidArgument(
                f"'{self._field[:100]}': the file must be in the field 'file'", param=FILE_FIELD
            )
        elif self._field in self.fields:
            raise InvalidArgument(f"'{self._field[:100]}' is there twice", param=self._field[:100])
        elif len(self.fields) == _MOST_FIELDS:
            raise InvalidArgument(f"The form has more than {_MOST_FIELDS} fields")

    def _begin_file(self, filename: bytes | None) -> None:
        if self.filename is not None:
            raise InvalidArgument("'file' is there twice: one file at a time", param=FILE_FIELD)
        if not filename:
            raise InvalidArgument(
                "Invalid value for 'file': expected a file with a filename, got text",
                param=FILE_FIELD,
            )
        if len(filename) > _LONGEST_FILENAME:
            raise InvalidArgument(
                f"'file': the filename is longer than {_LONGEST_FILENAME} bytes", param=FILE_FIELD
            )
        text = filename.decode(errors="replace")
        self.filename = "".join(one if one.isprintable() else "\ufffd" for one in text)

    def _on_part_data(self, data: bytes, start: int, end: int) -> None:
        if self._field == FILE_FIELD:
            self._write(data[start:end])
            return
        self._text += data[start:end]
        if len(self._text) > self._longest_field:
            raise InvalidArgument(
                f"'{self._field[:100]}' is longer than {self._longest_field} bytes",
                param=self._field[:100],
            )

    def _on_part_end(self) -> None:
        if self._field == FILE_FIELD:
            return
        try:
            self.fields[self._field] = self._text.decode()
        except UnicodeDecodeError as error:
            name = self._field[:100]
            raise InvalidArgument(f"'{name}' is not valid UTF-8", param=name) from error

    def _on_end(self) -> None:
        self._over = True
