#!/bin/sh
# SPDX-License-Identifier: GPL-2.0
#
# The module cannot go while a file is open, can when none is, and comes back
# with ids that no service had before.
#
# SEF_KO= names the module; else /sef/sef.ko is, or what modprobe finds.
#
# shellcheck disable=SC2317 # functions are called through check()

here=$(dirname "$0")
count=0
failed=0

check()
{
	what=$1
	shift
	count=$((count + 1))
	if "$@"; then
		echo "ok $count $what"
	else
		echo "not ok $count $what"
		failed=1
	fi
}

not()
{
	! "$@"
}

unload()
{
	rmmod sef 2>/dev/null
}

load()
{
	if [ -n "$ko" ]; then
		insmod "$ko"
	else
		modprobe sef
	fi
}

# What the tests before this one left may take a moment to end.
idle()
{
	tries=100
	while [ "$(cat /sys/module/sef/refcnt)" != 0 ]; do
		tries=$((tries - 1))
		[ "$tries" -gt 0 ] || return 1
		sleep 0.1
	done
}

present()
{
	[ -c /dev/sef ] && grep -q '^sef ' /proc/modules
}

absent()
{
	[ ! -e /dev/sef ] && ! grep -q '^sef ' /proc/modules
}

service_id()
{
	"$here/hold_service" </dev/null
}

skip_all()
{
	echo "1..0 # SKIP $1"
	exit 4
}

echo "TAP version 13"
ko=${SEF_KO:-}
[ -n "$ko" ] || [ ! -e /sef/sef.ko ] || ko=/sef/sef.ko
if [ -z "$ko" ] && ! modinfo sef >/dev/null 2>&1; then
	skip_all "no sef.ko: set SEF_KO="
fi
[ "$(id -u)" = 0 ] || skip_all "only root can unload a module"
present || skip_all "sef.ko is not loaded, or is built in"

echo "1..12"
check "nobody uses the module" idle

exec 3<>/dev/sef
check "a file is open: no unload" not unload
exec 3>&-

# A pipe keeps the service's standard input open until file 4 is closed.
dir=$(mktemp -d)
mkfifo "$dir/in" "$dir/out"
"$here/hold_service" <"$dir/in" >"$dir/out" &
exec 4>"$dir/in"
read -r first <"$dir/out"
check "a service is registered: no unload" not unload
check "it is not harmed" kill -0 $!
exec 4>&-
check "it ends well" wait $!
rm -r "$dir"

check "all is closed: unload" unload
check "the device is gone" absent
check "load" load
check "the device is there" present
second=$(service_id)
check "an id after the first load's" [ "${second:-0}" -gt "$first" ]
check "again: unload and load" eval "unload && load"
third=$(service_id)
check "an id after the second load's" [ "${third:-0}" -gt "${second:-0}" ]
exit "$failed"
