# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=sh disable=SC2034,SC2086,SC2317,SC3045
# What the tests of sefctl share; to be sourced. TOOLS has sefctl, and tmux if it is to
# be tried, EXAMPLES and LIBSEF_EXAMPLES have services. Some variables are for who
# sources it, some functions for soon; $2 of becomes is some words; busybox sh has read -t.

TOOLS=${TOOLS:-/sef/tools}
EXAMPLES=${EXAMPLES:-/sef/demo}
LIBSEF_EXAMPLES=${LIBSEF_EXAMPLES:-/sef/lib}
here=$(dirname "$0")
# shellcheck source=selftests/tap.sh
. "$here/tap.sh"
export TERMINFO=$TOOLS/terminfo
unset LC_ALL LC_CTYPE LANG NO_COLOR
sefctl=$TOOLS/sefctl
fast='-p 100ms -t 100ms'
esc=$(printf '\033')

# A service that is up, in $pid; with --hang-after it hangs when this returns.
start() { # start NAME [OPTION ...], as demo/daemon has them
	rm -f "$dir/up"
	mkfifo "$dir/up"
	"$EXAMPLES/daemon" "$@" >"$dir/up" 2>&1 &
	pid=$!
	children="$children $pid"
	exec 5<"$dir/up"
	await 5 "*registered, pid $pid"
	[ $# = 1 ] || [ "$2" = --null ] || await 5 "*I hang*"
}

# Kills what start() started last, and waits for it.
stop() { # stop PID
	kill -KILL "$1"
	kill -CONT "$1" 2>/dev/null
	wait "$1" 2>/dev/null
}

# In the background, with its lines to be awaited from file 4; $job.
begin() { # begin ARGUMENT ...
	exec 4<&-
	rm -f "$dir/lines"
	mkfifo "$dir/lines"
	"$sefctl" "$@" >"$dir/lines" 2>&1 &
	job=$!
	children="$children $job"
	exec 4<"$dir/lines"
}

end() { # end STATUS WHAT
	wait "$job"
	status=$?
	[ $status = "$1" ] || echo "# exit status $status"
	[ $status = "$1" ]
	report $? "$2"
}

# What it printed goes into $dir/out and $dir/err.
run() { # run STATUS ARGUMENT ...
	want=$1
	shift
	"$sefctl" "$@" >"$dir/out" 2>"$dir/err"
	status=$?
	[ $status = $want ] && return
	echo "# sefctl $*: exit status $status"
	sed 's/^/# /' "$dir/out" "$dir/err"
	return 1
}

# One line of standard error says it, and there is no other; check has it on the other.
fails() { # fails STATUS PATTERN ARGUMENT ...
	status=$1 pattern=$2
	shift 2
	run "$status" "$@" && tell=err silent=out
	[ "$status" != 3 ] || [ -s "$dir/err" ] || { tell=out silent=err; }
	[ "$(wc -l <"$dir/$tell")" = 1 ] && [ ! -s "$dir/$silent" ] && grep -q -- "$pattern" "$dir/$tell"
	result=$?
	[ $result = 0 ] || sed 's/^/# /' "$dir/out" "$dir/err"
	report $result "sefctl $*: $pattern"
}

# Its output has a line that matches.
says() { # says STATUS PATTERN WHAT ARGUMENT ...
	status=$1 pattern=$2 what=$3
	shift 3
	run "$status" "$@" && [ ! -s "$dir/err" ] && grep -q -- "$pattern" "$dir/out"
	result=$?
	[ $result = 0 ] || sed 's/^/# /' "$dir/out" "$dir/err"
	report $result "$what"
}

# What status --json tells of one service; a pointer's first part is which.
get() { # get NAME POINTER ...
	name=$1
	shift
	"$sefctl" status --json "$name" 2>/dev/null | "$here/json_get" "$@" 2>/dev/null
}

# For something that takes a moment.
soon() { # soon COMMAND ...
	tries=200
	until "$@"; do
		tries=$((tries - 1))
		[ $tries -gt 0 ] || return 1
		sleep 0.1
	done
}

# Becomes true of a service.
becomes() { # becomes NAME POINTERS VALUES
	got=$(get "$1" $2)
	[ "$got" = "$3" ]
}

is() { # is NAME POINTERS VALUES WHAT
	soon becomes "$1" "$2" "$3"
	result=$?
	[ $result = 0 ] || echo "# '$got' instead of '$3'"
	report $result "$4"
}

pinged() { # pinged NAME SEQ: since that ping
	[ "$(get "$1" /0/ping_seq)" -gt "$2" ]
}

mkfifo "$dir/up"
