# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034
# What every script in vm/ shares. Source it first.

set -euo pipefail

top=$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)
cache=${SEF_CACHE:-${XDG_CACHE_HOME:-$HOME/.cache}/sef}
# What the VM finds as /sef, besides the module: demo/, selftests/ ...
sef_dir=$top/build/sef

# Long work runs in the background, awaited: so a signal ends it with us.
trap 'kill $(jobs -p) 2>/dev/null || :; exit 130' INT TERM

step() { printf '%s\n' "$*" >&2; }
die() { printf '%s\n' "$(basename "$(dirname "$0")")/${0##*/}: $*" >&2; exit 1; }

# Run a command; show what it prints only when it fails, or with V=1.
quietly() {
	if [ "${V:-0}" = 1 ]; then
		"$@" >&2
		return
	fi
	local log status=0
	log=$(mktemp)
	"$@" >"$log" 2>&1 || status=$?
	[ "$status" = 0 ] || cat "$log" >&2
	rm -f "$log"
	return "$status"
}

copy_source() { # copy_source DIR: as it is now, without what was built in it
	mkdir -p "$1"
	(cd "$top" && git ls-files -z --cached --others --exclude-standard | tar -c --null -T -) | tar -x -C "$1"
}
