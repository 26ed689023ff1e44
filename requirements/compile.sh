#!/bin/sh
# Lock every requirements/*.in to a hashed *.txt for all platforms; needs uv on PATH.
set -eu
cd "$(dirname "$0")"
for name in run quickstart dev legacy; do
  uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
    --custom-compile-command 'requirements/compile.sh' -o "$name.txt" "$name.in"
done
