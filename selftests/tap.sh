# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2034,SC3045  # failed is for who sources it; busybox sh has read -t
# What the tests in shell share; to be sourced. Results are TAP.

dir=$(mktemp -d) || exit 1	# gone in the end
children=''			# what to kill then
n=0 failed=0

# shellcheck disable=SC2317,SC2329  # the trap calls it
finish() {
	# shellcheck disable=SC2086  # one word each, or none
	[ -z "$children" ] || kill -KILL $children 2>/dev/null
	rm -rf "$dir"
}
trap finish EXIT

plan() { # plan RESULTS
	echo "TAP version 13"
	echo "1..$1"
}

report() { # report STATUS WHAT
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n $2"
	else
		echo "not ok $n $2"
		failed=1
	fi
}

# What cannot be tried here.
skip() { # skip RESULTS WHY
	skipped=0
	while [ $skipped -lt "$1" ]; do
		skipped=$((skipped + 1))
		report 0 "# SKIP $2"
	done
}

# Waits for a line, $line; the limit is for a program that prints no more. Others before
# it are passed over: where the machine stalls, even "late" may come of itself.
await() { # await FD PATTERN
	while read -r -t 60 line <&"$1"; do
		# shellcheck disable=SC2254  # a pattern is what it is
		case $line in
		$2) return 0 ;;
		*) echo "# waiting for '$2', passed over '$line'" ;;
		esac
	done
	return 1
}

expect() { # expect FD PATTERN WHAT
	await "$1" "$2"
	report $? "$3"
}
