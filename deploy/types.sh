#!/bin/sh -e
# Type-checks the tree under the name it is installed as. Type checkers do not run
# setuptools' import hook, so they get a folder of links instead.
cd "$(dirname "$0")/.."
farm=build/typing/kronk
rm -rf "$farm" && mkdir -p "$farm"
for part in cli gateway shared supervisor web worker; do ln -s "../../../$part" "$farm/$part"; done
for file in sdk/*; do ln -s "../../../$file" "$farm/$(basename "$file")"; done
exec "${PYTHON:-python3}" -m mypy "$@"
