# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034  # suite is for who sources it, too
# Where Debian's packages come from. Source it after common.sh.

suite=bookworm		# what runs in the VM, and most kernels, are its
keyring=/usr/share/keyrings/debian-archive-keyring.gpg

# The machine's own archive and security archive, whatever mirror or proxy apt
# is set up with: the base URIs of its indexes that Debian has signed.
sources() { # sources SUITE [backports]
	local main security
	targets() {
		# shellcheck disable=SC2016  # apt expands these
		apt-get indextargets --format '$(REPO_URI)|$(ORIGIN)|$(LABEL)' |
			sed -n "s/|Debian|$1\$//p" | head -1
	}
	main=$(targets Debian)
	security=$(targets Debian-Security)
	[ -n "$main" ] ||
		die "apt knows of no Debian archive: run 'apt-get update' as root, then make again"
	printf "deb [signed-by=$keyring] %s %s main\n" "$main" "$1"
	if [ -n "$security" ]; then
		printf "deb [signed-by=$keyring] %s %s main\n" "$security" "$1-security"
	fi
	if [ -z "$security" ] || [ "${2-}" = backports ]; then
		printf "deb [signed-by=$keyring] %s %s main\n" "$main" "$1-backports"
	fi
}
