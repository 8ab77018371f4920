# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# shellcheck shell=bash disable=SC2034 # KERNEL and INITRAMFS are for tools/vm
#
# vm-kernel.sh - fetch stock Debian kernels and keep them ready to boot. Sourced by tools/vm.
#
# A kernel is found by suite, never by version: linux-image-amd64 of the suite names today's
# packages, apt fetches them and checks their signatures and sums. apt runs with a state folder
# and a source list of its own, so the machine's apt configuration is read (proxies, keys,
# mirrors) and never changed. Nothing is installed.
#
# A cache entry, <cache>/kernels/<name>/:
#   release            what uname -r says in the guest
#   vmlinux            the kernel, unpacked: software emulation takes seconds to unpack it at each boot
#   lsm                the kernel's default list of security modules (CONFIG_LSM)
#   root/              lib/modules/<release> and boot/config-<release>, with depmod done
#   initramfs-<id>     busybox and the modules needed to reach the root; made anew when its recipe changes
#
# An entry is made under another name and renamed into place: it is whole or it is not there.

# The modules that lead to the machine's root, without those they depend on.
readonly VM_BOOT_MODULES=(virtio_pci virtio_console 9p 9pnet_virtio overlay)

readonly VM_KEYRING=/usr/share/keyrings/debian-archive-keyring.gpg

# kernel_suites NAME: the suites that carry the kernel, the preferred one first.
kernel_suites() {
	case $1 in
	6.1) echo bookworm ;;
	6.12) echo trixie bookworm-backports ;;
	latest) echo trixie-backports ;;
	esac
}

# kernel_pattern NAME: what its release must look like, so that a moved suite is noticed.
kernel_pattern() {
	case $1 in
	latest) echo '[0-9]*' ;;
	*) echo "$1.*" ;;
	esac
}

# debian_mirrors: the URIs of Debian's main archive in the machine's own apt sources. Others that
# happen to have a component "main" do no harm: their signature is not by Debian's key.
debian_mirrors() {
	# shellcheck disable=SC2016 # apt's own variables
	apt-get indextargets --format '$(COMPONENT) $(REPO_URI)' 'Created-By: Packages' |
		awk '$1 == "main" && $2 !~ /security/ && !seen[$2]++ { print $2 }'
}

# private_apt DIR TOOL ARGUMENT...: apt-get or apt-cache with everything it writes under DIR.
#
# The list of installed packages is empty and pins are off: what the machine has must not decide
# what the guest boots.
private_apt() {
	local dir=$1 tool=$2

	shift 2
	"$tool" -q \
		-o Dir::State="$dir/state" -o Dir::State::status="$dir/status" \
		-o Dir::Cache="$dir/cache" \
		-o Dir::Etc::sourcelist="$dir/sources.list" -o Dir::Etc::sourceparts=/dev/null \
		-o Dir::Etc::preferences=/dev/null -o Dir::Etc::preferencesparts=/dev/null \
		-o APT::Sandbox::User=root -o Acquire::Languages=none -o Acquire::Retries=3 \
		"$@"
}

# read_suite DIR MIRROR SUITE: point DIR's private apt at one suite and fetch its package list.
read_suite() {
	local dir=$1 mirror=$2 suite=$3

	rm -rf "${dir:?}/state" "${dir:?}/cache"
	mkdir -p "$dir/state/lists/partial" "$dir/cache/archives/partial"
	: >"$dir/status"
	printf 'deb [arch=amd64 target=Packages signed-by=%s] %s %s main\n' \
		"$VM_KEYRING" "$mirror" "$suite" >"$dir/sources.list"
	private_apt "$dir" apt-get -o APT::Update::Error-Mode=any update
}

# kernel_packages DIR: the concrete packages behind linux-image-amd64, one per line. Newer kernels
# are split (image, binary, modules, base), so the dependencies are followed.
kernel_packages() {
	local dir=$1 package
	local -a queue=(linux-image-amd64)
	local -A seen=()

	while [[ ${#queue[@]} -gt 0 ]]; do
		package=${queue[0]}
		queue=("${queue[@]:1}")
		[[ -z ${seen[$package]:-} ]] || continue
		seen[$package]=1
		[[ $package == linux-image-amd64 ]] || printf '%s\n' "$package"
		mapfile -t -O "${#queue[@]}" queue < <(
			private_apt "$dir" apt-cache show --no-all-versions "$package" |
				sed -n 's/^Depends: //p' | tr '|' ',' | tr ',' '\n' |
				awk '$1 ~ /^linux-(image|binary|modules|base)-[0-9]/ { print $1 }')
	done
}

# download_kernel DIR SUITE: fetch and unpack the suite's kernel into DIR/root.
download_kernel() {
	local dir=$1 suite=$2 mirror package
	local -a packages=()

	while read -r mirror; do
		read_suite "$dir" "$mirror" "$suite" || continue
		mapfile -t packages < <(kernel_packages "$dir")
		[[ ${#packages[@]} -eq 0 ]] || break
	done < <(debian_mirrors)
	[[ ${#packages[@]} -gt 0 ]] || return 1

	mkdir -p "$dir/debs" "$dir/root"
	(cd "$dir/debs" && private_apt "$dir" apt-get download "${packages[@]}") || return 1
	for package in "$dir"/debs/*.deb; do
		dpkg-deb -x "$package" "$dir/root" || return 1
	done
}

# le32 FILE OFFSET: the little-endian 32-bit number there.
le32() {
	od -An -v -t u4 --endian=little -j "$2" -N 4 "$1" | tr -d ' '
}

# unpack_kernel VMLINUZ VMLINUX: take the kernel proper out of its self-extracting image, by the
# boot protocol's fields (setup_sects, payload_offset, payload_length). The payload ends with
# four bytes of unpacked size, which are no part of the xz or zstd stream.
unpack_kernel() {
	local image=$1 vmlinux=$2 sectors start length magic unpack

	sectors=$(od -An -t u1 -j $((0x1f1)) -N 1 "$image" | tr -d ' ')
	start=$(((sectors + 1) * 512 + $(le32 "$image" $((0x248)))))
	length=$(($(le32 "$image" $((0x24c))) - 4))
	magic=$(od -An -t x1 -j "$start" -N 4 "$image" | tr -d ' ')
	case $magic in
	fd377a58) unpack='xz -dc' ;;
	28b52ffd) unpack='zstd -dc' ;;
	1f8b*) unpack='gzip -dc' ;;
	*) say "unknown compression ($magic) of the kernel image"; return 1 ;;
	esac
	dd if="$image" bs=1M iflag=skip_bytes,count_bytes skip="$start" count="$length" status=none |
		$unpack >"$vmlinux"
}

# first_file PATH...: the first of them that is there.
first_file() {
	local path

	for path in "$@"; do
		[[ ! -f $path ]] || { printf '%s\n' "$path"; return 0; }
	done
	say "none of these is in the kernel's packages: $*"
	return 1
}

# adopt_kernel NAME DIR: make a cache entry, DIR/entry, of what is unpacked in DIR/root.
adopt_kernel() {
	local name=$1 dir=$2 entry=$2/entry modules release image config

	modules=$(find "$dir/root" -type d -path '*/lib/modules/*' -prune)
	release=${modules##*/}
	# shellcheck disable=SC2254 # a pattern is meant
	case $release in
	$(kernel_pattern "$name")) ;;
	*) say "expected a $name kernel, found '$release'"; return 1 ;;
	esac
	# Up to 6.12 these lie in /boot, later beside the modules.
	image=$(first_file "$dir/root/boot/vmlinuz-$release" "$modules/vmlinuz") || return 1
	config=$(first_file "$dir/root/boot/config-$release" "$modules/config") || return 1

	mkdir -p "$entry/root/lib/modules" "$entry/root/boot"
	ln -s . "$entry/root/usr" # kmod looks in lib or usr/lib, by version
	unpack_kernel "$image" "$entry/vmlinux" || return 1
	cp "$config" "$entry/root/boot/config-$release"
	sed -n 's/^CONFIG_LSM="\(.*\)"$/\1/p' "$config" >"$entry/lsm"
	[[ -s $entry/lsm ]] || { say "the kernel's config names no CONFIG_LSM"; return 1; }
	mv "$modules" "$entry/root/lib/modules/$release"
	depmod -b "$entry/root" "$release" || return 1
	printf '%s\n' "$release" >"$entry/release"
}

# module_paths ENTRY: the boot modules and what they depend on, in the order to load them.
module_paths() {
	local entry=$1 module

	for module in "${VM_BOOT_MODULES[@]}"; do
		modprobe -d "$entry/root" -S "$(<"$entry/release")" --show-depends "$module" |
			sed -n 's/^insmod \([^ ]*\).*/\1/p' || return 1
	done | awk '!seen[$0]++'
}

# unpacked_module FILE: a module's bytes, whichever way Debian packed it.
unpacked_module() {
	case $1 in
	*.xz) xz -dc "$1" ;;
	*.zst) zstd -qdc "$1" ;;
	*.gz) gzip -dc "$1" ;;
	*) cat "$1" ;;
	esac
}

# build_initramfs ENTRY FILE: busybox, and the modules numbered in their order. The init is not in
# it: tools/vm appends it at each run.
build_initramfs() {
	local entry=$1 file=$2 tree module i=10

	tree=$(mktemp -d "$entry/.tree.XXXXXX")
	mkdir -p "$tree"/{bin,modules,proc,sys,dev,ro,rw,root}
	cp "$(type -P busybox)" "$tree/bin/busybox"
	while read -r module; do
		unpacked_module "$module" >"$tree/modules/$i-$(basename "${module%%.ko*}").ko"
		i=$((i + 1))
	done < <(module_paths "$entry")
	(cd "$tree" && find . | cpio --quiet -o -H newc -R 0:0) >"$file.new.$$"
	mv "$file.new.$$" "$file"
	rm -rf "$tree"
}

# initramfs_of ENTRY: the path of its initramfs, made if its recipe has changed.
initramfs_of() {
	local entry=$1 id file

	id=$({ cat "$(type -P busybox)"; declare -p VM_BOOT_MODULES; declare -f build_initramfs; } |
		cksum | tr ' ' -)
	file=$entry/initramfs-$id
	if [[ ! -e $file ]]; then
		build_initramfs "$entry" "$file" || return 1
	fi
	printf '%s\n' "$file"
}

# fetch_kernel NAME ENTRY: fill the cache, once, whatever happens on the way.
fetch_kernel() {
	local name=$1 entry=$2 kernels=${2%/*} dir suite status=1

	[[ -r $VM_KEYRING ]] || die "$VM_KEYRING is missing; install the package debian-archive-keyring"
	rm -rf "$kernels/.new.$name".* # of a fetch that was killed; the lock is ours
	dir=$(mktemp -d "$kernels/.new.$name.XXXXXX")
	for suite in $(kernel_suites "$name"); do
		say "fetching kernel $name (linux-image-amd64 of $suite)"
		rm -rf "${dir:?}"/*
		if { download_kernel "$dir" "$suite" && adopt_kernel "$name" "$dir" &&
			initramfs_of "$dir/entry"; } >"$kernels/$name.log" 2>&1; then
			mv "$dir/entry" "$entry"
			status=0
			break
		fi
		tail -n 5 "$kernels/$name.log" >&2
	done
	rm -rf "$dir"
	[[ $status -eq 0 ]] ||
		die "could not fetch kernel $name from any of: $(kernel_suites "$name" | tr ' ' ,)." \
			"Is the mirror in the machine's apt sources reachable? Log: $kernels/$name.log"
}

# need_kernel NAME: set KERNEL to the cache entry of that kernel, fetching it when it is not there.
# With the entry there, the network is not touched.
need_kernel() {
	local name=$1 kernels=$VM_CACHE/kernels

	KERNEL=$kernels/$name
	mkdir -p "$kernels" || die "cannot write to the cache $VM_CACHE; set JOBCAGE_CACHE"
	exec 9>"$kernels/$name.lock"
	flock 9
	[[ -e $KERNEL/release ]] || fetch_kernel "$name" "$KERNEL"
	INITRAMFS=$(initramfs_of "$KERNEL") || die "could not build the initramfs of kernel $name"
	exec 9>&-
}
