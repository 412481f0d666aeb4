#!/bin/sh -e
# Makes .venv with the newest Python there is, unless a working one exists. A shim that is on the
# path but runs nothing (pyenv's) does not count, so each candidate is tried.
cd "$(dirname "$0")/.."
.venv/bin/python -c '' 2>/dev/null && exit 0

fits() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

found=
for candidate in ${PYTHON:-python3.13 python3.12 python3.11 python3}; do
    if fits "$candidate"; then found=$candidate; break; fi
done
if [ -z "$found" ]; then
    echo "Kronk needs Python 3.11 or newer; tried: ${PYTHON:-python3.13 python3.12 python3.11 python3}" >&2
    echo "Install one, or name it: make PYTHON=/path/to/python3 ..." >&2
    exit 1
fi
if ! "$found" -c 'import venv, ensurepip' 2>/dev/null; then
    echo "$found cannot make virtual environments (Debian, Ubuntu: apt install python3-venv)" >&2
    exit 1
fi
echo "Making .venv with $("$found" --version)"
"$found" -m venv --clear .venv
