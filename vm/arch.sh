# SPDX-License-Identifier: GPL-2.0
# shellcheck shell=bash disable=SC2034,SC2054,SC2154
# What the kernels of other architectures than amd64 are built with and run on. Source it
# after common.sh, and ask arch_of.

# KERNEL; Debian's architecture and flavour; the kernel's ARCH; the compiler's prefix,
# which names the folder of its libraries too; the console; what virtio is plugged into;
# QEMU and its machine.
arch_table='
arm64	  arm64	  arm64	    arm64 aarch64-linux-gnu   ttyAMA0 pci aarch64 virt -cpu max,pauth-impdef=on
arm64-16k arm64	  arm64-16k arm64 aarch64-linux-gnu   ttyAMA0 pci aarch64 virt -cpu max,pauth-impdef=on
armhf	  armhf	  armmp	    arm	  arm-linux-gnueabihf ttyAMA0 pci arm	  virt,highmem=off -cpu max
riscv64	  riscv64 riscv64   riscv riscv64-linux-gnu   ttyS0   pci riscv64 virt
s390x	  s390x	  s390x	    s390  s390x-linux-gnu     ttyS0   ccw s390x	  s390-ccw-virtio -cpu max
'

only_amd64() { # only_amd64 KERNEL: for what is built for no other
	arch_of "$1"
	[ -z "$debian" ] || die "$1: what this runs is built for amd64 only"
}

# arch_of KERNEL: sets the variables below; $debian, $flavour, $arch and $triplet are empty
# for amd64. "${inside[@]}" COMMAND ... is for what builds: it has the tools and libraries
# that belong to the kernel, and this folder as it is.
arch_of() {
	read -r debian flavour arch triplet tty_console bus qemu machine < <(
		awk -v name="$1" '$1 == name { $1 = ""; print }' <<<"$arch_table") || true
	inside=()
	[ ! -d "$cache/$1/root" ] ||
		inside=(bwrap --bind "$cache/$1/root" / --proc /proc --dev /dev --tmpfs /tmp --bind "$top" "$top")
	if [ -n "$debian" ]; then
		busybox=$cache/$1/busybox sef_dir=$top/build/sef-$debian
		# There is one serial line; the consoles of virtio are terminals too.
		tty_command=hvc0 tty_status=hvc1
		serial=(-device "virtio-serial-$bus")
		serial+=(-device virtconsole,chardev=command -device virtconsole,chardev=status)
	else
		busybox=$cache/busybox/busybox sef_dir=$top/build/sef
		tty_console=ttyS0 tty_command=ttyS1 tty_status=ttyS2
		serial=(-serial chardev:command -serial chardev:status)
		# Without cmpxchg16b: the TCG of QEMU 7.2 (Debian 12) leaves wrong flags
		# behind it, and some kernels then crash in their slab allocator.
		qemu=x86_64 machine='pc -cpu max,-cx16'
	fi
}
