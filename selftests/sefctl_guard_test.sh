#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC3045  # busybox sh has read -t
# sefctl guard, with a softdog that only says what it would do. TOOLS is the folder of
# sefctl, MODULES that of softdog.ko.

TOOLS=${TOOLS:-/sef/tools}
MODULES=${MODULES:-/sef/modules}
dir=$(mktemp -d) || exit 1
guard='' services='' n=0 failed=0

# shellcheck disable=SC2317,SC2329  # the trap calls it
finish() {
	# shellcheck disable=SC2086  # one word each, or none
	[ -z "$guard$services" ] || kill -KILL $guard $services 2>/dev/null
	rm -rf "$dir"
	rmmod softdog watchdog 2>/dev/null
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

# Waits for a line of the guard; the limit is for one that comes no more.
expect() { # expect PATTERN WHAT
	status=1
	while [ $status != 0 ] && read -r -t 60 line <&4; do
		# shellcheck disable=SC2254  # a pattern is what it is
		case $line in
		"sefctl guard: "$1) status=0 ;;
		*) echo "# waiting for '$1', passed over '$line'" ;;
		esac
	done
	report $status "$2"
}

serve() { # serve NAME: answers while $dir/NAME is there
	touch "$dir/$1"
	"$TOOLS/sefctl" run -q --name "$1" --signal none --kill none -p 200ms -t 5s \
		--probe "exec:[ -e '$dir/$1' ]" -- sleep 10000 &
	services="$services $!"
	until "$TOOLS/sefctl" check "$1" >/dev/null; do usleep 100000; done
}

start() { # start OPTION ... DEVICE
	exec 4<&-
	"$TOOLS/sefctl" guard "$@" 2>"$dir/said" &
	guard=$!
	exec 4<"$dir/said"
}

refused() { # refused PATTERN WHAT OPTION ... DEVICE
	pattern=$1 what=$2
	shift 2
	"$TOOLS/sefctl" guard "$@" >"$dir/out" 2>"$dir/err"
	[ $? = 1 ] && grep -q "$pattern" "$dir/err"
	report $? "$what"
}

triggered() { dmesg | grep -c 'softdog: Triggered'; }

echo "TAP version 13"
if [ ! -e "$MODULES/softdog.ko" ]; then
	echo "1..0 # SKIP no softdog.ko for this kernel"
	exit 4
fi
echo "1..32"
trap finish EXIT
mkfifo "$dir/said" || exit 1
# A kernel may have its core built in.
[ ! -e "$MODULES/watchdog.ko" ] || insmod "$MODULES/watchdog.ko" || exit 1
insmod "$MODULES/softdog.ko" soft_noboot=1 || exit 1
dog=/dev/watchdog0
stopped() { dmesg | grep -c 'watchdog0: watchdog did not stop'; }

refused 'say which watchdog' "no device" --require a
refused 'say what is required' "nothing required" $dog
refused "no service that counts is named 'nobody'" "a service that is not there" --require nobody $dog
serve first
serve 'second one'
refused '/dev/null is no watchdog' "no watchdog" --require first /dev/null
refused 'cannot open /dev/nowhere' "no such device" --require first /dev/nowhere
refused 'does not take 86400 s' "a timeout that is too long" --require first \
	--device-timeout 1d $dog
refused "named 'first'" "a service of another user" --require first --uid 1000 $dog
[ "$(stopped)" = 0 ]
report $? "all of these left it disarmed"

start -p 200ms -t 5s --patience 2s --device-timeout 8s --require first \
	--require 'second one' $dog
expect 'first (id:*): guarded' "a service"
expect 'second\\x20one (id:*): guarded' "another one, escaped"
expect '/dev/watchdog0 (Software Watchdog) is armed: *for 8s' "armed"
refused 'somebody else feeds it' "one guard at a time" --require first $dog
# More than two of its timeouts.
sleep 20
[ "$(triggered)" = 0 ]
report $? "it is fed while all is well"
rm "$dir/first"
expect 'first (id:*): unresponsive, *' "one hangs"
[ "$(triggered)" = 0 ]
report $? "not yet"
expect 'first is unresponsive: /dev/watchdog0 is fed no more: *within 8s' "it is fed no more"
until [ "$(triggered)" = 1 ]; do usleep 200000; done
report 0 "and the machine would have been reset"
touch "$dir/first"
expect 'first (id:*): alive, *' "it answers again"
expect 'all is well again: /dev/watchdog0 is fed' "and is fed again"

# One dies, and is replaced before the guard's patience has an end.
kill -TERM "$guard"
expect '/dev/watchdog0 is disarmed*' "told to end it disarms"
wait "$guard"
report $? "and ends well"
[ "$(stopped)" = 0 ]
report $? "the kernel says so too"
start -p 200ms -t 5s --patience 1h --device-timeout 60s --require first $dog
expect '/dev/watchdog0 * is armed: *' "armed again"
old=${services#* }
kill -TERM "${old%% *}"
expect 'first (id:*): dead, *' "its service ends"
serve first
expect 'first (id:*): guarded' "a newcomer of that name counts"
kill -KILL "$guard"
until [ "$(stopped)" = 1 ]; do usleep 200000; done
report 0 "a guard that is killed leaves it armed"
wait "$guard"
start --patience 1s --device-timeout 60s --require first --no-disarm $dog
expect '/dev/watchdog0 * is armed: *' "the next one feeds it"
# shellcheck disable=SC2086
kill -TERM ${services##* }
expect 'first (id:*): dead, *' "its service ends"
expect 'first is not there: /dev/watchdog0 is fed no more*' "and nobody takes its place"
kill -TERM "$guard"
expect '/dev/watchdog0 stays armed*' "told to end with --no-disarm"
until [ "$(stopped)" = 2 ]; do usleep 200000; done
report 0 "it is left armed"
# Disarmed by hand, or the module could not be removed.
wait "$guard"
printf V >$dog
guard=''
[ "$(triggered)" = 1 ]
report $? "no reset but that one"
exit $failed
