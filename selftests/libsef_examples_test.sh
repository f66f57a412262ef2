#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The examples of libsef: each service answers in its own kind of loop, is found
# out when it hangs, recovers, and ends when it is told. EXAMPLES is their folder.

EXAMPLES=${EXAMPLES:-/sef/lib}
dir=$(mktemp -d) || exit 1
service='' supervisor='' n=0 failed=0

# shellcheck disable=SC2317,SC2329  # the trap calls it
finish() {
	# shellcheck disable=SC2086  # one word each, or none
	[ -z "$service$supervisor" ] || kill -KILL $service $supervisor 2>/dev/null
	rm -rf "$dir"
}
trap finish EXIT

report() { # report STATUS WHAT
	n=$((n + 1))
	if [ "$1" = 0 ]; then
		echo "ok $n $2"
	else
		echo "not ok $n $2"
		failed=1
	fi
}

# Waits for a line; the limit is for a program that prints no more. Others before
# it are passed over: where the machine stalls, even "late" may come of itself.
expect() { # expect FD PATTERN WHAT
	status=1
	# shellcheck disable=SC3045  # busybox sh has read -t
	while [ $status != 0 ] && read -r -t 30 line <&"$1"; do
		# shellcheck disable=SC2254  # a pattern is what it is
		case $line in
		$2) status=0 ;;
		*) echo "# waiting for '$2', passed over '$line'" ;;
		esac
	done
	report $status "$3"
}

try() { # try NAME: 7 results
	"$EXAMPLES/$1" >"$dir/service" &
	service=$!
	exec 3<"$dir/service"
	expect 3 "service [1-9]*, pid $service" "$1 registers"
	"$EXAMPLES/watch" "$2" >"$dir/supervisor" &
	supervisor=$!
	exec 4<"$dir/supervisor"
	expect 4 "alive: *" "$1: alive"
	kill -STOP $service
	expect 4 "unresponsive: *, misses [2-9]*, stopped" "$1 stopped: unresponsive, and why"
	kill -CONT $service
	expect 4 "alive: *, misses 0*" "$1 continued: alive"
	kill -TERM $service
	expect 4 "$3: *" "$1 told to end: $3"
	wait $service
	report $? "$1 ends well"
	wait $supervisor
	report $? "$1: watch ends with it"
	service='' supervisor=''
}

echo "TAP version 13"
echo "1..37"
mkfifo "$dir/service" "$dir/supervisor" || exit 1

"$EXAMPLES/watch" nobody >"$dir/out" 2>"$dir/err"
[ $? = 1 ] && [ ! -s "$dir/out" ] && grep -q "cannot watch the service 'nobody'" "$dir/err"
report $? "watch says that there is no such service"
"$EXAMPLES/watch" >/dev/null 2>&1
[ $? = 1 ]
report $? "watch wants an argument"

try poll poll gone
try libevent libevent gone
try libuv libuv gone
try sd-event sd-event gone
try startup startup dead
exit $failed
