#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# shellcheck disable=SC2086,SC2317  # $fast is some words; soon calls what seems unused
# sefctl, by what it prints and its exit status, on services that answer, do not, hang, are
# stopped, frozen, killed.

# shellcheck source=selftests/sefctl.sh
. "$(dirname "$0")/sefctl.sh"

status_tells() { # 22 results
	start web
	says 0 "^web  *[0-9]*  *$pid  unwatched  -  *-  *-  *-  *-  *-  *-  *-$" "unwatched: nothing is known" status
	is web "/0/state /0/watches /0/period_ns /0/latency/headroom_ns /0/latency/count" "unwatched 0 0 null 0" \
		"unwatched: no settings"
	# What one supervisor asks for the others see.
	begin watch web -p 3s -t 2s --tolerate 7 --slack 1130us --grace 90s --extend 0.099999999s --strict \
		--excuse stopped,frozen --signal USR1 --kill 9s --restart-machine 1min
	is web "/0/watches /0/period_ns /0/timeout_ns /0/tolerate /0/slack_ns /0/grace_ns /0/extend_ns" \
		"1 3000000000 2000000000 7 1130000 90000000000 99999999" "settings"
	is web "/0/watch_flags /0/excuse /0/signal /0/kill_ns /0/last /0/last_ns" \
		"1 20 10 9000000000 2 60000000000" "steps"
	run 0 status web
	for line in "pid  *$pid" "uid  *0" "registered  *.* ago" "watches  *1" "period  *3s" "timeout  *2s" \
		"tolerates  *7 misses in a row" "excuses  *stopped,frozen" "strict  *yes" "slack  *1.13ms" \
		"grace  *1min30s" "extends  *99.9ms" "signal  *SIGUSR1 when unresponsive" "SIGKILL  *9s after the deadline" \
		"last step  *the machine restarts, 1min after that"; do
		grep -q "^  $line$" "$dir/out"
		report $? "in detail: $line"
	done
	kill -INT $job
	end 0 "watch ends at SIGINT"
	is web /0/watches 0 "and so does its watch"
	begin watch web $fast
	expect 4 "*: alive,*" "watched: alive"
	kill -STOP $pid
	expect 4 "*: unresponsive,*: stopped*" "stopped: unresponsive"
	says 0 "^web  *[0-9]*  *$pid  unresponsive  stopped  *100ms  *100ms .* 0s$" "the table tells" status
	stop $pid
	expect 4 "*: dead, killed by SIGKILL,*" "killed: dead"
	end 0 "watch ends with the service"
}

check_judges() { # 21 results
	start web
	says 0 "^OK: web answered in [0-9.]*[mu]*s | rtt=0\.[0-9]*s;;30;0$" "OK" check -t 30s web
	says 3 "^UNKNOWN: web is watched by nobody" "nobody watches: UNKNOWN" check --no-ping web
	says 0 "^OK: web answered.*s;20;30;0$" "OK, with a limit" check -t 30s -w 20s web
	# It answers when the ping was sent a while ago.
	kill -STOP $pid
	sent=$(get web /0/ping_seq)
	begin check -t 1min -w 1ms web
	soon pinged web "$sent"
	sleep 0.1
	kill -CONT $pid
	expect 4 "WARNING: web answered in * | rtt=*s;0.001;60;0" "late: WARNING"
	end 1 "late: exit status"
	kill -STOP $pid
	# Of less time a busy host may take so much that it is the machine that stood still.
	says 2 "^CRITICAL: web did not answer in 1s: stopped" "stopped: CRITICAL" check -t 1s web
	begin watch web $fast
	expect 4 "*: unresponsive,*" "stopped: watched"
	says 2 "^CRITICAL: web is unresponsive, silent for .*: stopped$" "without a ping: CRITICAL" check -n web
	kill -CONT $pid
	expect 4 "*: alive,*" "goes on"
	soon "$sefctl" check -n web >"$dir/out"
	grep -q "^OK: web is alive, silent for [0-9.]*[mu]*s$" "$dir/out"
	report $? "without a ping: OK"
	kill -INT $job
	wait $job
	begin watch web --tolerate 1000000 $fast
	expect 4 "*: alive,*" "tolerated: watched"
	kill -STOP $pid
	expect 4 "*: late,*" "tolerated: late"
	says 1 "^WARNING: web is late, silent for .*: \(stopped\|machine stalled\)" "without a ping: WARNING" check -n web
	kill -INT $job
	wait $job
	kill -CONT $pid
	mkdir /sys/fs/cgroup/sefctl
	echo $pid >/sys/fs/cgroup/sefctl/cgroup.procs
	echo 1 >/sys/fs/cgroup/sefctl/cgroup.freeze
	soon grep -q "frozen 1" /sys/fs/cgroup/sefctl/cgroup.events
	says 1 "^WARNING: web did not answer in 200ms: frozen" "frozen, no fault of its own: WARNING" check -t 200ms web
	echo 0 >/sys/fs/cgroup/sefctl/cgroup.freeze
	says 0 "^OK: web" "thawed: OK" check -t 30s web
	stop $pid
	soon rmdir /sys/fs/cgroup/sefctl
	report $? "its cgroup is left"
	says 2 "^CRITICAL: web is no service that you may see (one that ends unwatched is forgotten)$" "killed: CRITICAL" check web
	start null --null
	says 2 "^CRITICAL: null did not answer in 50ms: null reply policy" "null reply policy: CRITICAL" check -t 50ms null
	stop $pid
	start lost
	kill -STOP $pid
	begin check -t 1h lost
	soon pinged lost 0
	kill -KILL $pid
	expect 4 "CRITICAL: lost is dead: killed by SIGKILL" "killed while it is asked: CRITICAL"
	end 2 "killed: exit status"
	wait $pid 2>/dev/null
}

# Unless the machine stalls, which is then the cause.
asleep() { # asleep NAME
	run 1 ping -v -c 1 -W 100ms "$1"
	grep -q "^missed seq=[0-9]*: no pong in 100ms: asleep, in system call [0-9]*$" "$dir/out"
}

ping_asks() { # 20 results
	start web
	says 0 "^3 pings sent, 3 answered, 0 missed$" "three answers" ping -c 3 -i 20ms -W 30s web
	[ "$(grep -c "^pong seq=[0-9]* time=[0-9.]*[mu]*s$" "$dir/out")" = 3 ]
	report $? "a line each"
	grep -q "^round trip min/mean/max [0-9.]*[mu]*s/[0-9.]*[mu]*s/[0-9.]*[mu]*s$" "$dir/out"
	report $? "min, mean, max"
	begin ping -i 1h -W 200ms web
	expect 4 "pong seq=*" "it goes on"
	kill -INT $job
	expect 4 "1 ping sent, 1 answered, 0 missed" "SIGINT: a summary"
	end 0 "SIGINT: exit status"
	kill -STOP $pid
	says 1 "^2 pings sent, 0 answered, 2 missed$" "no answers" ping -c 2 -i 1ms -W 50ms web
	[ "$(grep -c "^missed seq=[0-9]*: no pong in 50ms: " "$dir/out")" = 2 ]
	report $? "a line each, with the cause"
	! grep -q "round trip" "$dir/out"
	report $? "no round trip then"
	begin ping -i 1h -W 50ms web
	expect 4 "missed seq=*" "a miss"
	kill -CONT $pid
	expect 4 "pong seq=* late" "a late pong"
	kill -TERM $job
	expect 4 "1 ping sent, 1 answered, 1 missed" "it counts as both"
	end 0 "a late answer is one"
	begin ping -W 30s -i 1h web
	expect 4 "pong seq=*" "an answer"
	kill -TERM $pid
	expect 4 "dead: killed by SIGTERM" "then it ends"
	end 1 "so does ping"
	wait $pid 2>/dev/null
	start hung --hang-after 0.1 --hang-for 3599
	soon asleep hung
	report $? "hung: asleep in a system call"
	grep -q "^  thread $pid was in state S$" "$dir/out"
	report $? "-v: the thread"
	grep -q "^  in [0-9.]*ms: user mode .*, kernel .*went to sleep [0-9]* times" "$dir/out"
	report $? "-v: its time"
	stop $pid
	"$LIBSEF_EXAMPLES/poll" >"$dir/up" &
	pid=$!
	children="$children $pid"
	exec 5<"$dir/up"
	await 5 "service*"
	begin ping -W 30s -i 1h "pid:$pid"
	await 4 "pong seq=*"
	kill -TERM $pid
	expect 4 "gone: it closed its file" "one that closes its file is gone"
	wait $job $pid
}

watch_tells() { # 34 results
	start first
	first=$pid
	begin watch --all $fast
	expect 4 "????-??-?? ??:??:??.??? first (id:*, pid $first): alive, silent for *" "--all: those there are"
	start second
	expect 4 "*second (id:*, pid $pid): registered" "--all: a newcomer"
	expect 4 "*second (id:*, pid $pid): alive,*" "--all: it is watched"
	kill -STOP $pid
	expect 4 "*second *: late, silent for *s, missed 1: stopped*" "late"
	expect 4 "*second *: unresponsive, silent for *s, missed 2: stopped*" "unresponsive"
	kill -CONT $pid
	expect 4 "*second *: alive, silent for *" "alive again"
	kill -TERM $pid
	expect 4 "*second *: dead, killed by SIGTERM, silent for *" "dead"
	wait $pid 2>/dev/null
	stop $first
	expect 4 "*first *: dead, killed by SIGKILL, silent for *" "the last is dead"
	start third
	expect 4 "*third (id:*): registered" "--all goes on"
	kill -INT $job
	end 0 "--all ends at SIGINT"
	begin watch third third "pid:$pid" --signal USR1 $fast
	kill -STOP $pid
	expect 4 "*: unresponsive,*; the signal was sent" "--signal"
	kill -CONT $pid
	expect 4 "*: dead, killed by SIGUSR1,*" "it arrives"
	end 0 "three names, one watch"
	wait $pid 2>/dev/null
	start fourth
	begin watch fourth --kill 50ms --tolerate 0 $fast
	kill -STOP $pid
	expect 4 "*: unresponsive,*missed 1: stopped*" "--tolerate 0"
	expect 4 "*: dead, killed by SIGKILL,*" "--kill"
	end 0 "the kernel has killed it"
	wait $pid 2>/dev/null
	start fifth
	begin watch fifth --json -v --tolerate 0 $fast
	await 4 '*"alive"*'
	kill -STOP $pid
	await 4 '*"unresponsive"*'
	printf '%s\n' "$line" >"$dir/event"
	kill -KILL $pid
	await 4 '*"dead"*'
	printf '%s\n' "$line" >"$dir/dead"
	end 0 "--json ends with the service"
	wait $pid 2>/dev/null
	for want in "/name fifth" "/pid $pid" "/state unresponsive" "/why stopped" "/misses 1" "/flags [ ]" \
		"/passed/0 unresponsive" "/passed/1 null" "/evidence/tid $pid" "/evidence/state T"; do
		[ "$("$here/json_get" "${want%% *}" <"$dir/event")" = "${want#* }" ]
		report $? "--json: $want"
	done
	"$here/json_get" /time <"$dir/event" | grep -qE "^[0-9-]{10}T[0-9:]{8}[.][0-9]{6}Z$"
	report $? "--json: time"
	[ "$("$here/json_get" /state /wait_status <"$dir/dead")" = "dead 9" ]
	report $? "--json: dead"
	start sixth
	begin watch sixth --strict --excuse none $fast
	expect 4 "*: unresponsive,*" "--strict: a pong without a seq is no answer"
	kill -INT $job
	wait $job
	begin watch sixth --grace 1h $fast
	expect 4 "*: alive,*" "--grace ends with the first pong"
	kill -INT $job
	wait $job
	kill -STOP $pid
	begin watch sixth --excuse all $fast
	expect 4 "*: late,*: stopped*" "--excuse: late"
	is sixth "/0/state /0/misses" "late 0" "--excuse: not counted"
	kill -INT $job
	wait $job
	stop $pid
	start seventh --null
	begin watch seventh --grace 1h $fast
	soon pinged seventh 0
	is seventh "/0/state /0/grace_ns" "waiting 3600000000000" "--grace: it waits"
	kill -INT $job
	wait $job
	stop $pid
}

metrics_tell() { # 10 results
	start web
	web=$pid
	start "$(printf 'e\033"\\ \377\n')" --null
	"$sefctl" ping -c 20 -i 1ms -W 30s web >/dev/null
	begin watch --all $fast --signal WINCH
	is web /0/state alive "metrics: one alive"
	is "pid:$pid" /0/state unresponsive "metrics: one unresponsive"
	run 0 metrics
	grep -q '^sef_service_state{service="web",id="[0-9]*",state="alive"} 1$' "$dir/out"
	report $? "metrics: state"
	grep -q '^sef_service_why{service="e.*",id="[0-9]*",why="null reply policy"} 1$' "$dir/out"
	report $? "metrics: why"
	grep -q '^sef_service_timeout_seconds{service="web",id="[0-9]*"} 0.1$' "$dir/out"
	report $? "metrics: seconds"
	grep -q '^sef_service_escalation_signals_total{service="e.*"} 1$' "$dir/out" &&
		grep -q '^sef_service_verdicts_total{service="e.*"} 1$' "$dir/out" &&
		grep -q '^sef_service_escalation_denied_total{service="web",id="[0-9]*"} 0$' "$dir/out"
	report $? "metrics: escalations"
	awk '
		/_bucket[{]service="web"/ { if ($NF < last) bad = 1; last = $NF; n++ }
		/_count[{]service="web"/ { count = $NF }
		END { exit bad || n != 32 || last != count || count < 20 }' "$dir/out"
	report $? "metrics: buckets are cumulative, and the last is the count"
	[ "$(tail -n 1 "$dir/out")" = "# EOF" ]
	report $? "metrics: the end"
	# For promtool, where this is run.
	sed 's/^/# metrics: /' "$dir/out"
	mkdir "$dir/collector"
	echo old >"$dir/collector/sef.prom"
	run 0 metrics -o "$dir/collector/sef.prom" && [ ! -s "$dir/out" ] &&
		[ "$(ls "$dir/collector")" = sef.prom ] && [ "$(tail -n 1 "$dir/collector/sef.prom")" = "# EOF" ] &&
		[ "$(stat -c %a "$dir/collector/sef.prom")" = 644 ]
	report $? "metrics -o: the file, and no other"
	fails 1 "cannot write .*nowhere/sef.prom.*: No such file" metrics -o "$dir/nowhere/sef.prom"
	"$sefctl" metrics >/dev/full 2>"$dir/err"
	[ $? = 1 ] && grep -q "sefctl metrics: cannot write to standard output: No space left on device$" "$dir/err"
	report $? "a full disk is told"
	kill -INT $job
	wait $job
	stop $web
	stop $pid
}

in_terminal() { # in_terminal COMMAND: a terminal of its own, 200 columns wide
	tmux new-session -d -x 200 -y 20 "$1"
}

# It insists on UTF-8.
tmux() { LOCPATH=$TOOLS/locale LC_ALL=C.UTF-8 "$TOOLS/tmux" -S "$dir/tmux" -f /dev/null "$@"; }

screen_has() { tmux capture-pane -p | grep -q "$1"; }

top_shows() { # 9 results
	fails 1 "this needs a terminal: sefctl status" top
	[ -e "$TOOLS/tmux" ] || { skip 8 "no tmux"; return; }
	start web
	start "$(printf 'evil\033[2J\n')"
	in_terminal "TERM=dumb $sefctl top 2>$dir/err; echo \$? >$dir/status; TERM=screen $sefctl top -d 100ms 2>>$dir/err; echo \$? >>$dir/status; cat"
	soon screen_has "2 services, 2 unwatched; sorted by state"
	report $? "top: a summary"
	[ "$(cat "$dir/status")" = 1 ] && grep -q "TERM is 'dumb', no terminal known to be drawn on" "$dir/err"
	report $? "top: not on a terminal that cannot be drawn on"
	screen_has "^NAME .*STATE .*HEADROOM"
	report $? "top: titles"
	screen_has "^web .*unwatched" && screen_has "^evil.x1b\[2J "
	report $? "top: services"
	tmux send-keys s
	soon screen_has "sorted by name"
	report $? "top: s sorts"
	begin watch web $fast
	kill -STOP "$(get web /0/pid)"
	soon screen_has "^web .*unresponsive  stopped"
	report $? "top: live"
	tmux send-keys q
	soon grep -q 0 "$dir/status"
	report $? "top: q quits"
	[ "$(xargs <"$dir/status")" = "1 0" ] && [ "$(wc -l <"$dir/err")" = 1 ]
	report $? "top: exit status, no complaint"
	tmux kill-server
	kill -INT $job
}

plan 120
status_tells
check_judges
ping_asks
watch_tells
metrics_tell
top_shows
exit $failed
