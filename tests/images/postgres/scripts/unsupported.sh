#!/bin/sh
echo "this image has no WAL archive: $1 needs the real Spilo image" >&2
exit 1
