#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The README's examples, run as it says: hello_service answers, hello_supervisor
# tells its verdicts. EXAMPLES is the folder that has both.

EXAMPLES=${EXAMPLES:-/sef/demo}
service='' supervisor=''
# shellcheck source-path=SCRIPTDIR
. "$(dirname "$0")/tap.sh"

start_service() {
	"$EXAMPLES/hello_service" >"$dir/service" &
	service=$!
	children="$service $supervisor"
	exec 3<"$dir/service"
}

start_supervisor() { # start_supervisor NAME|ID
	"$EXAMPLES/hello_supervisor" "$1" >"$dir/supervisor" &
	supervisor=$!
	children="$service $supervisor"
	exec 4<"$dir/supervisor"
}

plan 14
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
children=''
exit $failed
