#!/bin/sh
# A local script of the demo: notes the incident in a file. Values come as arguments and are never read as code.
# Usage: note.sh FOLDER RULE WHERE
set -eu
mkdir -p "$1"
printf '%s\t%s\n' "$2" "$3" >> "$1/incidents.tsv"
printf 'noted %s\n' "$3"
