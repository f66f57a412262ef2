#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The README's examples, run as it says: hello_service answers, hello_supervisor
# tells its verdicts. EXAMPLES is the folder that has both.

EXAMPLES=${EXAMPLES:-/sef/demo}
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

start_service() {
	"$EXAMPLES/hello_service" >"$dir/service" &
	service=$!
	exec 3<"$dir/service"
}

start_supervisor() { # start_supervisor NAME|ID
	"$EXAMPLES/hello_supervisor" "$1" >"$dir/supervisor" &
	supervisor=$!
	exec 4<"$dir/supervisor"
}

echo "TAP version 13"
echo "1..14"
mkfifo "$dir/service" "$dir/supervisor" || exit 1

"$EXAMPLES/hello_supervisor" >/dev/null 2>&1
[ $? = 1 ]
report $? "hello_supervisor wants an argument"
"$EXAMPLES/hello_supervisor" hello >"$dir/out" 2>"$dir/err"
[ $? = 1 ] && [ ! -s "$dir/out" ] && grep -q "cannot find a service 'hello'" "$dir/err"
report $? "hello_supervisor says that there is no such service"

start_service
expect 3 "service [1-9]*, pid $service" "hello_service registers"
start_supervisor hello
expect 4 "alive: *" "by name: alive"
kill -STOP $service
expect 4 "unresponsive: *, misses 2" "stopped: unresponsive"
kill -CONT $service
expect 4 "alive: *, misses 0" "continued: alive"
kill -KILL $service
expect 4 "dead: *" "killed: dead"
expect 4 "its wait status: 9" "killed: by SIGKILL"
wait $supervisor
report $? "hello_supervisor ends with the service"
supervisor=''

start_service
expect 3 "service [1-9]*, pid $service" "hello_service registers again"
id=${line#service }
start_supervisor "${id%%,*}"
expect 4 "alive: *" "by id: alive"
kill -TERM $service
expect 4 "dead: *" "terminated: dead"
expect 4 "its wait status: 15" "terminated: by SIGTERM"
wait $supervisor
report $? "hello_supervisor ends with the service again"
supervisor='' service=''
exit $failed
