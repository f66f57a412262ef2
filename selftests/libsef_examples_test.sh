#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The examples of libsef: each service answers in its own kind of loop, is found
# out when it hangs, recovers, and ends when it is told. EXAMPLES is their folder; those
# that need another library may not be there.

EXAMPLES=${EXAMPLES:-/sef/lib}
service='' supervisor=''
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"

try() { # try NAME: 7 results
	[ -e "$EXAMPLES/$1" ] || { skip 7 "$1 was not built"; return; }
	"$EXAMPLES/$1" >"$dir/service" &
	service=$!
	children="$service $supervisor"
	exec 3<"$dir/service"
	expect 3 "service [1-9]*, pid $service" "$1 registers"
	"$EXAMPLES/watch" "$2" >"$dir/supervisor" &
	supervisor=$!
	children="$service $supervisor"
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

plan 37
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
