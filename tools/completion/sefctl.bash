# SPDX-License-Identifier: GPL-2.0
# Completion of sefctl for bash. What there is to complete sefctl itself tells: its
# commands and options by --help, services by status.

# Lines of "-p --period TIME" or "- --strict", of the options of a command.
_sefctl_options() { # _sefctl_options [COMMAND]
	local line option='^ +((-[^ ,]+), )?(--[a-z-]+)(=([^ ]+))?'
	# shellcheck disable=SC2068  # one word or none
	sefctl $@ --help 2>/dev/null | while IFS= read -r line; do
		[[ ! $line =~ $option ]] ||
			echo "${BASH_REMATCH[2]:--} ${BASH_REMATCH[3]} ${BASH_REMATCH[5]}"
	done
}

_sefctl_commands() {
	sefctl --help 2>/dev/null | sed -nE '/^Commands:/,$s/^  ([a-z]+) .*/\1/p'
}

# Names as the shell has to have them.
_sefctl_services() {
	local name
	sefctl status 2>/dev/null | while read -r name _; do
		printf '%q\n' "$name"
	done | tail -n +2
}

# What the argument of an option is to be, by what --help calls it.
_sefctl_argument() { # _sefctl_argument METAVARIABLE
	case $1 in
	FILE | PATH) compgen -f -- "$cur" ;;
	SIGNAL) compgen -W "$(compgen -A signal | sed -n 's/^SIG//p') none" -- "$cur" ;;
	CAUSE,...) compgen -W "stopped traced frozen starved stalled all none default" -- "$cur" ;;
	ORDER) compgen -W "state name silence p99 worst headroom" -- "$cur" ;;
	esac
}

_sefctl() {
	local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}
	local command='' short long argument word i

	# Bash makes three words of --signal=TERM.
	if [ "$cur" = = ]; then
		cur=''
	elif [ "$prev" = = ]; then
		prev=${COMP_WORDS[COMP_CWORD - 2]}
	fi
	for ((i = 1; i < COMP_CWORD; i++)); do
		case ${COMP_WORDS[i]} in
		-*) ;;
		*)
			command=${COMP_WORDS[i]}
			break
			;;
		esac
	done
	COMPREPLY=()
	while read -r short long argument; do
		if [ -n "$argument" ] && { [ "$prev" = "$short" ] || [ "$prev" = "$long" ]; }; then
			mapfile -t COMPREPLY < <(_sefctl_argument "$argument")
			return
		fi
	done < <(_sefctl_options "$command")
	case $command,$cur in
	*,-*) mapfile -t COMPREPLY < <(compgen -W "$(_sefctl_options "$command" | cut -d' ' -f2)" -- "$cur") ;;
	,*) mapfile -t COMPREPLY < <(compgen -W "$(_sefctl_commands)" -- "$cur") ;;
	run,*) mapfile -t COMPREPLY < <(compgen -A command -- "$cur") ;;
	guard,*) mapfile -t COMPREPLY < <(compgen -f -- "${cur:-/dev/watchdog}") ;;
	status,* | watch,* | ping,* | check,*)
		while read -r word; do
			[[ $word != "$cur"* ]] || COMPREPLY+=("$word")
		done < <(_sefctl_services)
		;;
	esac
}
complete -F _sefctl sefctl
