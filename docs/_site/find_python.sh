#!/bin/sh
# Prints the first interpreter that can hold labkd. With an argument only
# that one is tried; else the usual names, and then pyenv's own folder,
# since a pyenv shim may exist for a version that is not switched on.
if [ -n "$1" ]; then
    set -- "$1"
else
    set -- python3.12 python3.13 python3.14 python3 python \
        "${PYENV_ROOT:-$HOME/.pyenv}"/versions/*/bin/python3
fi

seen=""
for name; do
    path=$(command -v "$name") || continue
    version=$("$path" -c \
        'import sys; print("%d.%d.%d" % sys.version_info[:3])' \
        2>/dev/null) || version="does not run"
    if ! "$path" -c 'import sys; sys.exit(sys.version_info < (3, 12))' \
        2>/dev/null; then
        reason=""
    elif ! "$path" -c 'import ensurepip, venv' 2>/dev/null; then
        # Debian splits it off.
        reason=", without venv (Debian: apt-get install python3-venv)"
    else
        printf '%s\n' "$path"
        exit 0
    fi
    seen="$seen
  $path: $version$reason"
done

{
    printf 'labkd needs Python 3.12 or newer. Found:%s\n' "${seen:-
  none${1:+, not even $1}}"
    printf 'Install one, or name it: make PYTHON=/path/to/python3.12\n'
} >&2
exit 1
