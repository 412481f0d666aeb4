"""`python -m kronk.gateway.probe_database FOLDER`: whether a database can be used, found out in a
process of its own: LMDB maps the file, and a damaged one ends whoever looks at it.

Ends with 0 when it is good, or when nothing can be said of it; with 1 when it is broken, and says
why; and by a signal when that is how it is broken.
"""

from __future__ import annotations

import os
import resource
import struct
import sys
from pathlib import Path

import lmdb

DATA = "data.mdb"
# What says of the file that it is broken, and not of the machine that it is short of something.
_BROKEN = (
    lmdb.CorruptedError,
    lmdb.InvalidError,
    lmdb.PageNotFoundError,
    lmdb.PanicError,
    lmdb.VersionMismatchError,
)
_MOST_TABLES = 64
# Of a meta page: the page's own header, magic, version, two addresses, the records of two tables
# (the first of which begins with the size of a page), the last page, the transaction.
_META = struct.Struct("<16xII16xI92xQQ")
_MAGIC, _VERSION = 0xBEEFC0DE, 1
_PAGE_SIZES = range(512, 65537)


def main() -> None:
    """Look at one database."""
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    fault = look(Path(sys.argv[1]))
    if fault is not None:
        print(fault)
        raise SystemExit(1)


def look(folder: Path) -> str | None:
    """Why it is broken; a file that is not there is not."""
    data = folder / DATA
    if not data.exists() or not data.stat().st_size:
        return None
    try:
        fault = cut_off(data)
        if fault is None:
            _walk(folder)
    except _BROKEN as error:
        return str(error)
    except (lmdb.Error, OSError):
        # No room, no right, no memory: whoever opens it says so.
        return None
    return fault


def cut_off(data: Path) -> str | None:
    """Whether pages that are in use lie beyond the end of the file, which nobody can survive."""
    with data.open("rb") as file:
        first = file.read(_META.size)
        if len(first) < _META.size:
            return f"it has {len(first)} bytes, less than a page"
        magic, version, page, *_ = _META.unpack(first)
        if (magic, version) != (_MAGIC, _VERSION) or page not in _PAGE_SIZES:
            return "it is not an LMDB database"
        file.seek(page)
        second = file.read(_META.size)
    metas = [_META.unpack(meta)[3:] for meta in (first, second) if len(meta) == _META.size]
    # The one of the later transaction is in force.
    last_page, _ = max(metas, key=lambda meta: meta[1])
    needed, size = (last_page + 1) * page, data.stat().st_size
    return f"it has {size} bytes and needs {needed}" if size < needed else None


def _walk(folder: Path) -> None:
    """Touch every page but those of long values, and what a writer begins with."""
    with lmdb.open(str(folder), max_dbs=_MOST_TABLES, create=False) as environment:
        with environment.begin() as transaction:
            names = [bytes(key) for key, _ in transaction.cursor()]
            for name in names:
                table = environment.open_db(name, transaction, create=False)
                for _ in transaction.cursor(table).iternext(values=False):
                    pass
        writing = environment.begin(write=True)
        try:
            writing.put(b"probe", os.urandom(8))
        finally:
            writing.abort()


if __name__ == "__main__":
    main()
