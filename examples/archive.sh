#!/bin/sh
# An archive of all images below a folder, checked, and back again: examples/archive.sh FOLDER ARCHIVE RESTORED
set -eu

pixzip compress -r "$1" -o "$2" --model "${MODEL:-base}"
pixzip verify -r "$2"
pixzip decompress -r "$2" -o "$3"
