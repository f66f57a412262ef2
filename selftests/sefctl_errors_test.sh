#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2086  # $c is some words
# sefctl, by what it prints and its exit status: what it is called with, whom it may see,
# and how services are named, also by evil names.

# shellcheck source=selftests/sefctl.sh
. "$(dirname "$0")/sefctl.sh"

usage_errors() { # 33 results
	fails 1 "sefctl --help lists the commands"
	fails 1 "no command is named 'pong'" pong
	fails 1 "unrecognized option '--pong'" --pong
	for c in status top watch metrics; do
		fails 1 "sefctl $c: unrecognized option '--pong'" $c --pong
	done
	fails 2 "sefctl ping: unrecognized option '--pong'" ping --pong
	fails 3 "sefctl check: unrecognized option '--pong'" check --pong
	fails 1 "'x' is one argument too many" top x
	fails 1 "'x' is one argument too many" metrics x
	fails 2 "say which service" ping
	fails 2 "'b' is one service too many" ping a b
	fails 3 "UNKNOWN: say which service" check
	fails 3 "UNKNOWN: 'b' is one service too many" check a b
	fails 1 "say which services: either --all" watch
	fails 1 "say which services: either --all" watch --all a
	fails 2 "--count: 'x' is no number" ping -c x a
	fails 2 "--count: '-1' is no number" ping -c -1 a
	fails 2 "--count: at least one" ping -c 0 a
	fails 2 "--interval: '1x' is no length of time" ping -i 1x a
	fails 2 "--interval: '' is no length of time" ping -i '' a
	fails 2 "--interval: '-1s' is no length of time" ping -i -1s a
	fails 2 "--interval: '0x10s' is no length of time" ping -i 0x10s a
	fails 2 "--timeout: '2d' is not between 1ms and 1d" ping -W 2d a
	fails 3 "--timeout: '0.0001' is not between 1ms and 1d" check -t 0.0001 a
	fails 1 "no signal is named 'PONG'" watch --signal PONG a
	fails 1 "'sleepy' is no cause that can be excused" watch --excuse traced,sleepy a
	fails 1 "choose one" watch --panic 1s --restart-machine 1s a
	fails 1 "--slack: it may not exceed the period" watch --slack 2s a
	fails 1 "--tolerate: '4294967296' is no number" watch --tolerate 4294967296 a
	fails 1 "--sort: 'size' is no order" top --sort size
	run 1 "$(printf 'a\n\033[31mb')"
	[ "$(cat "$dir/err")" = "sefctl: no command is named 'a\\x0a\\x1b[31mb': sefctl --help lists them" ]
	report $? "what is said of an argument is escaped"
}

device_errors() { # 12 results
	mv /dev/sef /dev/sef.away
	for c in status "watch a" "ping a" metrics top "check a"; do
		case $c in p*) status=2 ;; ch*) status=3 ;; *) status=1 ;; esac
		fails $status "sef.ko is not loaded (modprobe sef loads it)" $c
	done
	mv /dev/sef.away /dev/sef
	run_as_user() { su user -c "$sefctl $1" >"$dir/out" 2>"$dir/err"; }
	run_as_user status
	[ $? = 1 ] && [ ! -s "$dir/out" ] && grep -q "Permission denied (be root, or of the group" "$dir/err"
	report $? "who may not open the device is told what to do"
	run_as_user "check a"
	[ $? = 3 ] && grep -q "UNKNOWN: .*Permission denied" "$dir/out"
	report $? "so is check"
	start web
	chmod 666 /dev/sef
	run_as_user "status --json" && [ "$(cat "$dir/out")" = "[]" ]
	report $? "another user's services are not there"
	run_as_user "ping web"
	[ $? = 2 ] && grep -q "no service that you may see is 'web'" "$dir/err"
	report $? "and cannot be pinged"
	run_as_user "check web"
	[ $? = 2 ] && grep -q "CRITICAL: web is no service that you may see" "$dir/out"
	report $? "and are critical for check"
	su user -c "exec $EXAMPLES/daemon his" >/dev/null &
	his=$!
	children="$children $his"
	is his /0/uid 1000 "root sees a user's service"
	run_as_user "watch --panic 1s his"
	[ $? = 1 ] && grep -q "take CAP_SYS_BOOT" "$dir/err"
	report $? "a panic is not for everyone"
	chmod 660 /dev/sef
	kill -KILL "$(get his /0/pid)"
	wait $his 2>/dev/null
	stop $pid
}

nothing() { # 4 results: there are no services
	run 0 status && [ "$(wc -l <"$dir/out")" = 1 ] && grep -q "^NAME .*STATE .*HEADROOM$" "$dir/out"
	report $? "status: titles and no services"
	says 0 '^\[\]$' "status: an empty array" status --json
	says 0 '^sef_services 0$' "metrics: no services" metrics
	fails 1 "no service that you may see is 'web'" status web
}

names() { # 19 results
	start web
	web=$pid
	start twin
	one=$pid
	start twin
	two=$pid
	start "$web"
	number=$pid
	start 12345678
	id=$(get web /0/id)
	says 0 "^web (id:$id)$" "by name" status web
	says 0 "^web (id:$id)$" "by id" status "id:$id"
	says 0 "^web (id:$id)$" "by pid" status "pid:$web"
	says 0 "^web (id:$id)$" "a number is a pid first" status "$web"
	says 0 "^$web (id:" "or a name for certain" status "name:$web"
	says 0 "^12345678 (id:" "or a name where there is no such pid" status 12345678
	fails 1 "no service that you may see is '$id'" status "$id"
	fails 1 "no service that you may see is 'id:1'" status id:1
	fails 1 "no service that you may see is 'id:0'" status id:0
	fails 1 "no service that you may see is 'pid:1'" status pid:1
	fails 1 "no service that you may see is 'name:$web.'" status "name:$web."
	fails 1 "'pid:x': what follows 'pid:' has to be a number" status pid:x
	fails 1 "id:: '99999999999999999999' is no number" status id:99999999999999999999
	run 0 status twin && [ "$(wc -l <"$dir/out")" = 3 ]
	report $? "status tells of all that have the name"
	ids="id:$(get twin /1/id) id:$(get twin /0/id)"
	fails 2 "2 services are 'twin', say which: $ids$" ping twin
	fails 3 "UNKNOWN: 2 services are 'twin', say which: $ids$" check twin
	fails 1 "2 services are 'twin', say which: $ids$" watch twin
	stop $one
	says 0 "^OK: twin" "the one that is left is meant" check -t 30s twin
	run 0 status web 12345678 && [ "$(cut -d' ' -f1 "$dir/out" | xargs)" = "NAME web 12345678" ]
	report $? "several services, in the order asked for"
	for pid in $web $two $number $pid; do
		stop $pid
	done
}

evil_names() { # 11 results
	evil=$(printf 'a\n\033[31m\\ "\377|\342\200\256gr\303\274')
	start "$evil"
	shown='a\\x0a\\x1b\[31m\\x5c\\x20"\\xff|\\xe2\\x80\\xaegr\\xc3\\xbc'
	run 0 status && [ "$(wc -l <"$dir/out")" = 2 ] && grep -q "^$shown  *[0-9]" "$dir/out"
	report $? "status: one line, escaped"
	says 0 "^$shown (id:" "by its name" status "$evil"
	says 0 "^$shown (id:" "by its name as it is shown" status \
		'a\x0a\x1b[31m\x5c\x20"\xff|\xe2\x80\xaegr\xc3\xbc'
	if [ -d "$TOOLS/locale" ]; then
		LOCPATH=$TOOLS/locale LC_ALL=C.UTF-8 "$sefctl" status >"$dir/out"
		printf 'a\\x0a\\x1b[31m\\x5c\\x20"\\xff|\\xe2\\x80\\xaegr\303\274  \n' >"$dir/want"
		grep -qF "$(cat "$dir/want")" "$dir/out"
		report $? "in UTF-8 letters are shown, what turns the text is not"
	else
		skip 1 "no locale"
	fi
	[ "$(get "pid:$pid" /0/name)" = "$(printf 'a\n\033[31m\\ "\357\277\275|\342\200\256gr\303\274')" ]
	report $? "JSON: the characters, or U+FFFD"
	# For jq, where this is run.
	"$sefctl" status --json | sed 's/^/# json: /'
	says 0 '^OK: a.x0a.x1b\[31m.x5c.x20".xff.x7c.xe2.x80.xaegr.xc3.xbc answered in .* | rtt=' \
		"check: no | of the name's" check -t 30s "$evil"
	says 0 "^ping $shown (id:" "ping" ping -c 1 -W 30s "$evil"
	! grep -q "$esc" "$dir/out"
	report $? "no control character"
	run 0 metrics && grep -qF 'service="a\\x0a\\x1b[31m\\x5c \"\\xff|\\xe2\\x80\\xaegr\\xc3\\xbc",' "$dir/out" &&
		! grep -q "$esc" "$dir/out"
	report $? "metrics: escaped once more"
	begin watch -t 30s "$evil"
	expect 4 "*a\\\\x0a\\\\x1b?31m*: alive, *" "watch: one line, escaped"
	kill -TERM $job
	end 0 "watch ends at SIGTERM"
	stop $pid
}

plan 80
usage_errors
device_errors
nothing
names
evil_names
exit $failed
