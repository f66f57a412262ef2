#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC3045,SC2086  # busybox sh has read -t; $fast and $probed are some words
# sefctl run, by what it prints and does: the exit status and signals of its command,
# verdicts, sd_notify, probes, restarts. TOOLS is the folder of sefctl.

TOOLS=${TOOLS:-/sef/tools}
speaker=$(dirname "$0")/speaker
# shellcheck source=selftests/tap.sh
. "$(dirname "$0")/tap.sh"
run=''

tells() { # tells PATTERN WHAT: a line of sefctl; "late" may come of itself
	expect 4 "sefctl run: $1" "$2"
}

said() { # said PATTERN WHAT: a line of its command
	expect 3 "$1" "$2"
}

# Begin to run something in the background, with both of its outputs to be awaited.
begin() {
	exec 3<&- 4<&-
	"$@" >"$dir/stdout" 2>"$dir/stderr" &
	run=$!
	children=$run
	exec 3<"$dir/stdout" 4<"$dir/stderr"
}

start() { # start OPTION ... -- COMMAND ...
	begin "$TOOLS/sefctl" run "$@"
}

end() { # end STATUS WHAT
	wait "$run"
	status=$?
	run='' children=''
	[ $status = "$1" ] || echo "# exit status $status"
	[ $status = "$1" ]
	report $? "$2"
}

# One that ends by itself: its exit status, and what it printed to stderr.
ends() { # ends STATUS PATTERN WHAT OPTION ... -- COMMAND ...
	want=$1 pattern=$2 what=$3
	shift 3
	"$TOOLS/sefctl" run "$@" >"$dir/out" 2>"$dir/err"
	status=$?
	if grep -q "$pattern" "$dir/err" && [ $status = "$want" ]; then
		report 0 "$what"
	else
		sed 's/^/# /' "$dir/err"
		report 1 "$what (status $status)"
	fi
}

fast="-p 300ms -t 300ms"
# Where the answer takes programs or a network, on a kernel that is ten times slower.
probed="-p 300ms -t 3s"

plan 131
mkfifo "$dir/stdout" "$dir/stderr" || exit 1

# Exit status.
ends 0 'true: dead: exited with status 0' "exit status 0" -- true
ends 7 'sh: dead: exited with status 7' "exit status 7" -- sh -c 'exit 7'
ends 137 'sh: dead: killed by SIGKILL' "128 and the signal" -- sh -c 'kill -KILL $$'
ends 134 'x\\x20y: dead: killed by SIGABRT' "a name that is escaped" \
	--name 'x y' -- sh -c 'kill -ABRT $$'
ends 127 "cannot execute '/nowhere': No such file" "no such command" -- /nowhere
ends 126 "cannot execute '/etc/passwd': Permission denied" "no program" -- /etc/passwd
ends 127 "cannot execute '/nowhere'" "one that can never be executed is not restarted" \
	--restart always -- /nowhere
ends 125 'say which command' "no command"
ends 125 'unrecognized option' "no such option" --nonsense -- true
ends 125 "'smoke:x' is none of auto" "no such probe" --probe smoke:x -- true
ends 125 "'localhost' is no HOST:PORT" "no port" --probe tcp:localhost -- true
ends 125 "'never' is no such thing" "no such policy" --restart never -- true
ends 125 'not 1 to 31 bytes' "a name too long" --name 0123456789abcdef0123456789abcdef -- true
"$TOOLS/sefctl" run -q -- echo "a  b" '*' >"$dir/out" 2>"$dir/err"
[ "$(cat "$dir/out")" = "a  b *" ] && [ ! -s "$dir/err" ]
report $? "arguments as they are; --quiet is quiet"

# Signals, with a command that has something to say about each.
cat >"$dir/traps" <<'END'
for sig in HUP USR1 USR2 WINCH CONT; do
	trap "echo got $sig" $sig
done
trap 'echo got TERM; exit 3' TERM
echo ready
while :; do sleep 1; done
END
start -- sh "$dir/traps"
said ready "a command with traps"
for sig in HUP USR1 USR2 WINCH CONT TERM; do
	kill -$sig "$run"
	said "got $sig" "SIG$sig is passed on"
done
end 3 "what it ends with at SIGTERM is the exit status"

# The job is stopped, and sefctl with it; neither is judged for that.
touch "$dir/f"
begin "$speaker" group "$TOOLS/sefctl" run -p 300ms -t 1s --tolerate 0 -- "$speaker" wait:"$dir/f" exit:4
said "pid *" "a command to be stopped"
pid=${line#pid }
kill -TSTP "$run"
stopped() { grep -q '^State:.T' "/proc/$pid/status" && grep -q '^State:.T' "/proc/$run/status"; }
tries=0
until stopped || [ $((tries += 1)) -gt 400 ]; do
	usleep 50000
done
stopped
report $? "SIGTSTP stops both"
sleep 3
kill -CONT "$run"
rm "$dir/f"
end 4 "SIGCONT continues both, and nobody was judged"

# Speaking sd_notify.
touch "$dir/f"
start $fast --name hangs -- "$speaker" env:WATCHDOG_USEC env:WATCHDOG_PID say:READY=1 \
	beat:"$dir/f" hang
said "pid *" "a command that speaks"
pid=${line#pid }
said "WATCHDOG_USEC=600000" "WATCHDOG_USEC is the time until the first miss"
said "WATCHDOG_PID=$pid" "WATCHDOG_PID is the command's"
tells "hangs: ready" "READY=1 is told"
said "did say:READY=1" "it beats"
usleep 1500000
[ -d "/proc/$pid" ]
report $? "WATCHDOG=1 keeps it alive"
rm "$dir/f"
tells "hangs: unresponsive, *; sent SIGABRT" "without it the verdict comes"
tells "hangs: dead: killed by SIGABRT" "and the signal ends it"
end 134 "which is the exit status"

start $fast --grace 1h --probe notify --name grace -- "$speaker" say:READY=1 hang
tells "grace: unresponsive, *" "READY=1 ends the grace"
tells "grace: dead: *" "and the command by that"
end 134 "a command that said READY=1 only"

touch "$dir/f"
start -p 1h -t 1h --restart always --name times -- "$speaker" env:WATCHDOG_USEC \
	'say:WATCHDOG=1\nWATCHDOG_USEC=400000' wait:"$dir/f" hang
rm "$dir/f"
tells "times: unresponsive, *" "WATCHDOG_USEC=n is the time from then on"
said "WATCHDOG_USEC=7200000000" "a first life"
said "WATCHDOG_USEC=7200000000" "in the next life it is as it was asked for"
kill -TERM "$run"
tells "times: dead: killed by SIGTERM" "SIGTERM ends it for good"
end 143 "a command that changes its times"

start $fast --probe notify --name extends -- "$speaker" say:READY=1 \
	say:EXTEND_TIMEOUT_USEC=3000000 hang
tells "extends: unresponsive, silent for [3-9]*s, *" "EXTEND_TIMEOUT_USEC puts the deadline off"
tells "extends: dead: *" "but not for ever"
end 134 "a command that extends"

start --kill 1s --name wrong -- "$speaker" ignore:6 'say:READY=1\nWATCHDOG=1' \
	say:WATCHDOG=trigger beat:/
tells "wrong: unresponsive, *: null reply policy*; sent SIGABRT" "WATCHDOG=trigger: a verdict at once"
tells "wrong: *; sent SIGKILL" "WATCHDOG=1 makes up for nothing then"
tells "wrong: dead: killed by SIGKILL" "and that is its end"
end 137 "a command that finds itself wrong"

touch "$dir/f"
start -p 100ms -t 100ms --probe notify -- "$speaker" say:READY=1 say:STOPPING=1 \
	wait:"$dir/f" exit:5
said "did say:STOPPING=1" "a command that stops"
sleep 2
rm "$dir/f"
end 5 "it may be silent meanwhile"
start --stop-timeout 500ms --name stops -- "$speaker" ignore:15 say:READY=1 hang
said "did say:READY=1" "a command that does not stop"
kill -TERM "$run"
tells "stops: unresponsive, *; sent SIGKILL" "after SIGTERM it has --stop-timeout"
end 137 "and no more"

# What is not as it should be.
esc=$(printf '\033')
touch "$dir/f"
start --name odd -- "$speaker" env:NOTIFY_SOCKET 'say:x\0y' long:5000 say: 'say:WATCHDOG_USEC=x' \
	'say:WATCHDOG_USEC=1' 'fd:FDSTORE=1\nSTATUS=kept' "child:STATUS=child" "say:STATUS=a${esc}[31mb" \
	wait:"$dir/f" exit:0
said "NOTIFY_SOCKET=*" "a command that says what it should not"
socket=${line#NOTIFY_SOCKET=}
tells "odd: process * sent what is no message *" "no message: told once"
tells "odd: a message with no number*" "no number"
tells "odd: WATCHDOG_USEC=1 is not between *: ignored" "a time out of bounds"
tells "odd: status: kept" "a descriptor is not kept, and its message counts"
tells "odd: status: a?x1b?31mb" "its child is not heard, its status is escaped"
rm "$dir/f"
end 0 "all that had no effect"

touch "$dir/f"
start --notify-access all --name all -- "$speaker" env:NOTIFY_SOCKET child:STATUS=child \
	wait:"$dir/f" exit:0
said "NOTIFY_SOCKET=*" "--notify-access=all"
socket=${line#NOTIFY_SOCKET=}
tells "all: status: child" "its child is heard"
NOTIFY_SOCKET=$socket "$speaker" 'say:STATUS=stranger' fd:BARRIER=1 >/dev/null
tells "all: process * may not speak for it" "a stranger is not"
rm "$dir/f"
end 0 "and that is all"

systemd_notify() { # 4 results
	[ -e "$TOOLS/systemd-notify" ] || { skip 4 "no systemd-notify"; return; }
	# shellcheck disable=SC2016
	start --name systemd --probe notify $fast -- sh -c 'PATH=$0:$PATH
		systemd-notify --ready --status="up and running"
		systemd-notify WATCHDOG=1
		exec sleep 1000' "$TOOLS"
	tells "systemd: status: up and running" "systemd-notify: its status"
	tells "systemd: ready" "systemd-notify: ready"
	tells "systemd: unresponsive, *" "and then silent"
	end 134 "a script with systemd-notify"
}
systemd_notify

# A service of systemd as it is.
systemd_journald() { # 5 results
	[ -e "$TOOLS/systemd-journald" ] || { skip 5 "no systemd-journald"; return; }
	mkdir -p /run
	mount -t tmpfs none /run
	start --name journald --probe notify -p 500ms -t 1s --kill 1s -- "$TOOLS/systemd-journald"
	tells "journald: ready" "systemd-journald is ready"
	sleep 5
	pid=$(cat "/proc/$run/task/$run/children")
	[ -n "$pid" ] && kill -STOP ${pid% }
	report $? "its WATCHDOG=1 keeps it alive"
	tells "journald: unresponsive, *: stopped*; sent SIGABRT" "stopped it is found out"
	tells "journald: dead: killed by SIGKILL" "and killed"
	end 137 "as it would be by systemd"
	umount /run
}
systemd_journald

# A supervisor above: here another sefctl run.
start --name outer $fast --probe notify --grace 1h -- \
	"$TOOLS/sefctl" run --name inner -- "$speaker" env:WATCHDOG_USEC 'say:READY=1\nSTATUS=well' hang
said "pid *" "a manager above"
pid=${line#pid }
said "WATCHDOG_USEC=300000" "its times are half of what the manager waits"
await 4 "sefctl run: inner: *" || :
tells "outer: status: well" "it is told the status"
tells "outer: ready" "and that it is ready"
sleep 2
kill -TERM "$pid"
tells "inner: dead: killed by SIGTERM" "and all the time that it is alive"
end 143 "until it ends"

# Probes.
start --probe exec:"[ -e '$dir/well' ]" $probed --name asked --grace 1h -- "$speaker" hang
tells "asked: the probe fails: exited with status 1" "a probe that fails is told once"
touch "$dir/well"
tells "asked: the probe succeeds" "and when it succeeds"
tells "asked: alive" "that is alive"
rm "$dir/well"
tells "asked: unresponsive, *; sent SIGABRT" "it fails again: a verdict"
end 134 "a command that is probed"
start --probe 'exec:sleep 1234' $fast --name slow --grace 300ms -- "$speaker" hang
tells "slow: the probe fails: no answer within 300ms" "a probe that does not end"
end 134 "is a failure"
! cat /proc/[0-9]*/cmdline 2>/dev/null | tr '\0' ' ' | grep -q 'sleep 123[4]'
report $? "and all of it is ended"

mkdir "$dir/www"
echo well >"$dir/www/health"
httpd -f -p 127.0.0.1:8080 -h "$dir/www" &
httpd=$!
start --probe http://127.0.0.1:8080/health $probed --name web --grace 1h -- "$speaker" hang
tells "web: alive" "an HTTP probe"
rm "$dir/www/health"
tells "web: the probe fails: 127.0.0.1:8080 answers with status 404" "an error is one"
end 134 "of the command"
start --probe tcp:127.0.0.1:8080 $probed --name port --grace 1h -- "$speaker" hang
tells "port: alive" "a TCP probe"
kill "$httpd"
# QEMU 7.2 makes a wrong checksum of a TCP reset on s390x, which the kernel then drops.
timeout 5 wget -q -O "$dir/out" http://127.0.0.1:8080/ 2>"$dir/err"
if [ $? = 143 ]; then
	skip 1 "nobody hears that he is refused"
else
	tells "port: the probe fails: cannot connect to 127.0.0.1:8080: Connection refused" "refused"
fi
end 134 "is a failure too"

# Restarts.
ends 3 'restarted 3 times in a row: gives up' "--restart-limit" \
	--restart on-failure --restart-limit 3 --restart-delay 100ms -- sh -c 'exit 3'
[ "$(grep -o 'restart [0-9].*' "$dir/err" | tr '\n' ,)" = \
	"restart 1 at once,restart 2 in 100ms,restart 3 in 200ms," ]
report $? "each waits twice as long"
# A life that is longer than --restart-max would begin the row anew, for ever.
ends 3 'restart 3 in 3s' "--restart-max" --restart on-failure --restart-limit 3 \
	--restart-delay 2s --restart-max 3s -- sh -c 'exit 3'
ends 0 'dead: exited with status 0' "on-failure: not after a success" --restart on-failure -- true
start --restart always --restart-max 500ms --name long -- sleep 1
tells "long: restart 1 at once" "always: after a success too"
tells "long: restart 1 at once" "a life that was long enough begins anew"
kill -TERM "$run"
end 143 "SIGTERM ends it"
start --restart on-failure --restart-limit 1 --name leaves -- "$speaker" orphan:1000000 exit:3
said "orphan *" "one that leaves a process behind"
pid=${line#orphan }
tells "leaves: killed what it has left behind" "which is killed"
said "orphan *" "before it is restarted"
[ ! -e "/proc/$pid" ]
report $? "and is no more then"
end 3 "the last one is left alone"
kill -KILL "${line#orphan }"

# What is held by a debugger that does not wait for it is no more, and yet there.
touch "$dir/f"
start --restart on-failure --restart-limit 1 --name stuck -- "$speaker" orphan:1000000 \
	wait:"$dir/f" exit:3
said "orphan *" "one that leaves what does not end"
pid=${line#orphan }
"$speaker" seize:"$pid" hang >"$dir/out" &
debugger=$!
until grep -q 'did seize' "$dir/out"; do usleep 50000; done
rm "$dir/f"
tells "stuck: killed what it has left behind" "it is killed"
tells "stuck: what it has left behind does not end: starts all the same" "and waited for no longer"
said "orphan *" "it is restarted"
end 3 "that was the last time"
[ -e "/proc/$pid" ]
report $? "what did not end is there still"
kill -KILL "$debugger" "${line#orphan }"

# Root's processes are not a user's to kill.
cp "$speaker" "$dir/setuid"
chmod 4755 "$dir/setuid"
chmod 755 "$dir"
chmod 666 /dev/sef
begin su user -c "exec '$TOOLS/sefctl' run --restart on-failure --restart-limit 1 \
	--name denied -- '$dir/setuid' user:0 orphan:1000000 exit:3"
said "orphan *" "one that leaves what may not be killed"
pid=${line#orphan }
tells "denied: dead: exited with status 3" "it ends"
tells "denied: restart 1 at once" "it is to be restarted"
tells "denied: *" "it is"
case $line in *": alive" | *": dead: "*) ;; *) false ;; esac
report $? "at once, and nothing is said to have been killed"
said "orphan *" "it leaves another one"
end 3 "that was the last time"
chmod 660 /dev/sef
kill -KILL "$pid" "${line#orphan }"
report $? "and nothing was killed"

start --restart always --restart-delay 1h --restart-max 1h --name waits -- sh -c 'exit 6'
tells "waits: restart 2 in 1h" "a restart that takes long"
kill -TERM "$run"
end 6 "SIGTERM ends the wait"

# Without the module.
without() { # without OPTION ... -- COMMAND ...
	# shellcheck disable=SC2016
	unshare -m sh -c 'mount -t tmpfs none /dev && exec "$@"' sh "$TOOLS/sefctl" run "$@" \
		>"$dir/out" 2>"$dir/err"
}
without --restart on-failure --restart-limit 1 -- "$speaker" env:WATCHDOG_USEC exit:9
[ $? = 9 ] && [ "$(grep -c 'goes on unsupervised' "$dir/err")" = 1 ] &&
	grep -q 'WATCHDOG_USEC is not set' "$dir/out"
report $? "without sef.ko it goes on, and says so once"
without --require -- "$speaker"
[ $? = 125 ] && [ ! -s "$dir/out" ] && grep -q 'sef.ko is not loaded' "$dir/err"
report $? "but not with --require"

# Orphans; and as the init of a container.
start -- "$speaker" orphan:300 hang
said "orphan *" "a command that leaves an orphan"
pid=${line#orphan }
while [ -e "/proc/$pid" ]; do usleep 50000; done
report 0 "it is waited for"
kill -TERM "$run"
end 143 "a command that left one"
begin unshare -p -f --mount-proc "$TOOLS/sefctl" run --name init -- "$speaker" orphan:300 hang
said "orphan *" "as pid 1"
said "did orphan*" "it has a command"
pid=$(cat "/proc/$run/task/$run/children")
kill -TERM "${pid% }"
tells "init: dead: killed by SIGTERM" "whom a signal is passed on to"
end 143 "and whose exit status it has"
exit $failed
