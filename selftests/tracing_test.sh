#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
# The examples of Documentation/tracing.md, as they are there: each tool is started
# on a service that hangs, sees it recover, hang again and die, and prints what the
# document says, but for the numbers. And the document has each tracepoint and field.
#
# EXAMPLES is the folder of the service and its supervisor; tools are looked for in
# TOOLS, and then in PATH.

EXAMPLES=${EXAMPLES:-/sef/demo}
PATH=${TOOLS:-/sef/tracing}:$PATH
export PATH
doc=$(cd "$(dirname "$0")" && pwd)/tracing.md
[ -e "$doc" ] || doc=$(dirname "$doc")/../Documentation/tracing.md
events=/sys/kernel/tracing/events/sef
dir=$(mktemp -d) || exit 1
service='' supervisor='' tool='' n=0 failed=0

# shellcheck disable=SC2317,SC2329  # the trap calls it
finish() {
	[ -z "$tool" ] || kill -KILL "-$tool" 2>/dev/null
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

# The fields of each tracepoint, a line each, by the kernel and by the document.
kernel_fields() {
	for format in "$events"/*/format; do
		event=${format%/format}
		sed -n 's/^\tfield:.*[ *]\([a-z_]*\)\(\[[0-9]*\]\)*;.*/\1/p' "$format" |
			sed "/^common_/d; s/^/${event##*/} /"
	done | sort
}

doc_fields() {
	awk -F '|' '/^\| `sef_/ {
		gsub(/[` ]/, "", $2)
		gsub(/`/, "", $4)
		print $2, "id"
		print $2, "name"
		for (n = split($4, fields, " "); n; n--)
			print $2, fields[n]
	}' "$doc" | sort
}

# Part of an example: its nth block of that language.
block() { # block EXAMPLE LANGUAGE N
	awk -v marker="<!-- example: $1 -->" -v fence="\`\`\`$2" -v want="$3" '
		/^<!-- example: / { found = $0 == marker }
		$0 == "```" { inside = 0 }
		inside { print }
		found && $0 == fence { inside = ++n == want }
	' "$doc"
}

# Each line of a shape has to be a part of one that was printed: any number will do
# for a number, and any histogram for one.
shown() { # shown SHAPE OUTPUT
	awk '
		NR == FNR {
			gsub(/[][().*+?|{}^$\\]/, "\\\\&")
			gsub(/0x[0-9a-f]+/, "0x[0-9a-f]+")
			gsub(/=[0-9]+/, "=[0-9]+")
			gsub(/ [0-9]+(\\\.[0-9]+)?/, " [0-9]+[.0-9KMG]*")
			gsub(/\\\[[0-9]+,/, "\\[[0-9]+[KMG]?,")
			gsub(/@@+/, "@*[ ]*")
			gsub(/^ +| +$/, "")
			gsub(/ +/, " +")
			shapes[++n] = $0
			next
		}
		{
			for (i = 1; i <= n; i++)
				if ($0 ~ shapes[i])
					seen[i] = 1
		}
		END {
			for (i = 1; i <= n; i++)
				if (!seen[i]) {
					print "# no line is like " shapes[i]
					missing = 1
				}
			exit missing || !n
		}' "$1" "$2" || { sed 's/^/# /' "$2" | tail -n 60; return 1; }
}

patiently() { # patiently COMMAND ...: until it succeeds, or the tool has ended
	while ! "$@"; do
		kill -0 "$tool" 2>/dev/null || return 1
		sleep 1
	done
}

expect() { # expect PATTERN: a line of the supervisor
	# shellcheck disable=SC3045  # busybox sh has read -t
	while read -r -t 60 line <&4; do
		# shellcheck disable=SC2254  # a pattern is what it is
		case $line in
		$1) return 0 ;;
		esac
	done
	echo "# no '$1' from the supervisor"
	return 1
}

start_hanging() {
	"$EXAMPLES/hello_service" >"$dir/service" &
	service=$!
	exec 3<"$dir/service"
	read -r _ <&3
	"$EXAMPLES/hello_supervisor" hello >"$dir/supervisor" &
	supervisor=$!
	exec 4<"$dir/supervisor"
	expect "alive: *" && kill -STOP $service && expect "unresponsive: *"
}

recover_hang_and_die() {
	kill -CONT $service && expect "alive: *" &&
		kill -STOP $service && expect "unresponsive: *" &&
		kill -KILL $service && expect "dead: *"
}

# shellcheck disable=SC2317,SC2329  # patiently calls them
bpftrace_listens() { grep -q missed "$dir/out"; }
# shellcheck disable=SC2317,SC2329
trace_cmd_listens() { grep -q 1 "$events/enable" && grep -q 1 "$events/../../tracing_on"; }
# shellcheck disable=SC2317,SC2329
perf_listens() { grep -q ' [1-9][0-9]*  *sef:sef_miss' "$dir/out"; }

# 2 results
try() { # try EXAMPLE LISTENS
	if ! command -v "$1" >/dev/null || [ -n "$3" ]; then
		n=$((n + 2))
		echo "ok $((n - 1)) $1 ends well # SKIP ${3:-no $1}"
		echo "ok $n $1 prints what the document says # SKIP ${3:-no $1}"
		return
	fi
	start_hanging
	block "$1" sh 1 >"$dir/command"
	block "$1" sh 2 >"$dir/then"
	block "$1" text 1 >"$dir/shape"
	(cd "$dir" && exec setsid sh ./command) >"$dir/out" 2>&1 &
	tool=$!
	patiently "$2" && recover_hang_and_die
	kill -INT -$tool	# as Ctrl-C does
	wait $tool
	status=$?
	[ $status != 130 ] || status=0	# perf dies of it once it has told all
	tool=''
	(cd "$dir" && sh ./then) >>"$dir/out" 2>&1 || status=$?
	kill -KILL $service 2>/dev/null
	wait $service $supervisor 2>/dev/null
	service='' supervisor=''
	report $status "$1 ends well"
	shown "$dir/shape" "$dir/out"
	report $? "$1 prints what the document says"
}

echo "TAP version 13"
[ -d $events ] || { echo "1..0 # SKIP no $events"; exit 4; }
echo "1..7"
mkfifo "$dir/service" "$dir/supervisor" || exit 1
kernel_fields >"$dir/kernel"
doc_fields >"$dir/doc"
diff "$dir/kernel" "$dir/doc" >"$dir/diff" || sed 's/^/# /' "$dir/diff"
cmp -s "$dir/kernel" "$dir/doc" && [ -s "$dir/doc" ]
report $? "the document has each tracepoint and field"

no_bpf=''
# What BPF programs for tracepoints depend on has this file.
[ -e $events/../../kprobe_events ] || [ -e $events/../../uprobe_events ] ||
	no_bpf="this kernel has no BPF events"
try bpftrace bpftrace_listens "$no_bpf"
try trace-cmd trace_cmd_listens
try perf perf_listens
exit $failed
