# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash
#
# packages.sh - install the Debian packages a script needs. To be sourced.
#
# A newcomer's machine has little on it, and a developer's machine has it all. So what is there
# is left alone, apt is asked only for the rest, and one line says what was installed. apt's own
# output is shown only when it failed.

# missing_packages PACKAGE...: print those that are not installed, one per line.
missing_packages() {
	local package status

	for package in "$@"; do
		status=$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null) || status=
		[[ $status == installed ]] || printf '%s\n' "$package"
	done
}

# apt_quietly ARGUMENT...: apt-get without questions; its output only when it fails.
apt_quietly() {
	local log status=0

	log=$(mktemp)
	DEBIAN_FRONTEND=noninteractive apt-get -o DPkg::Lock::Timeout=300 -q -y "$@" \
		>"$log" 2>&1 </dev/null || status=$?
	[[ $status -eq 0 ]] || cat "$log" >&2
	rm -f "$log"
	return "$status"
}

# need_packages PACKAGE...: install those that are missing; 0 when all are there afterwards.
#
# The package lists are fetched anew before installing: a machine image's lists name versions
# that the mirror no longer has.
need_packages() {
	local -a missing

	mapfile -t missing < <(missing_packages "$@")
	[[ ${#missing[@]} -gt 0 ]] || return 0
	if [[ $EUID -ne 0 ]]; then
		printf 'missing packages; as root: apt-get install %s\n' "${missing[*]}" >&2
		return 1
	fi
	printf 'installing packages: %s\n' "${missing[*]}"
	apt_quietly update || printf 'apt-get update failed; trying with the lists at hand\n' >&2
	if ! apt_quietly install --no-install-recommends "${missing[@]}"; then
		printf 'could not install: %s (apt-get says why, above)\n' "${missing[*]}" >&2
		return 1
	fi
}
