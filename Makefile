# SPDX-License-Identifier: GPL-2.0
# What a person types; Kbuild is what builds the module. "make help" lists it.

KDIR	?= /lib/modules/$(shell uname -r)/build
KERNEL	?= 6.12
KERNELS	?= 6.12 6.1
arches	:= arm64 arm64-16k armhf riscv64 s390x
prefix	?= /usr/local

SEF_CACHE ?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/sef
export SEF_CACHE CMD TESTS KSFT FUZZ_SECONDS MINUTES V

sudo	:= $(if $(filter 0,$(shell id -u)),,sudo)
kbuild	= $(MAKE) -C $(KDIR) M=$(CURDIR)

all: headers ## build sef.ko for the running kernel, or for KDIR=its build directory
	$(kbuild) modules

help: ## list these targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo "V=1 shows every command; VM kernels are kept in $(SEF_CACHE) (SEF_CACHE=)"

headers:
	@[ -e $(KDIR)/Makefile ] || { echo "no kernel headers in $(KDIR):" \
		"install linux-headers-$$(uname -r), or give KDIR=, or use a VM: make vm" >&2; exit 1; }

load: all ## insert it into the running kernel
	@[ ! -d /sys/module/sef ] || { echo "sef is loaded already: make unload first" >&2; exit 1; }
	$(sudo) insmod ./sef.ko

unload: ## remove it again
	@[ -d /sys/module/sef ] || { echo "sef is not loaded" >&2; exit 1; }
	$(sudo) rmmod sef

version := $(shell sed -n 's/^version := //p' lib/Makefile)
etc	:= $(DESTDIR)$(prefix)/lib
dkms	:= $(DESTDIR)/usr/src/sef-$(version)

install: install-module install-system install-lib install-tools ## install it all below $(prefix), all below $(DESTDIR)

# Debian's headers have no System.map, and without it modules_install leaves
# depmod out.
install-module: all
	$(kbuild) $(if $(DESTDIR),INSTALL_MOD_PATH=$(DESTDIR)) modules_install
	$(if $(DESTDIR),,depmod $$($(kbuild) -s kernelrelease))

install-system:
	install -D -m 644 packaging/sef.rules $(etc)/udev/rules.d/60-sef.rules
	install -D -m 644 packaging/sef.sysusers $(etc)/sysusers.d/sef.conf
	install -D -m 644 packaging/sef.modules-load $(etc)/modules-load.d/sef.conf
	install -D -m 644 Documentation/man/sef.4 $(DESTDIR)$(prefix)/share/man/man4/sef.4
	$(if $(DESTDIR),,systemd-sysusers && { [ ! -d /run/udev ] || udevadm control --reload; })

install-dkms: ## in place of install-module: the source, which DKMS builds for each new kernel
	install -d $(dkms)/uapi/linux
	install -m 644 Kbuild $(filter-out %.mod.c,$(wildcard sef*.c)) $(wildcard sef*.h) $(dkms)
	install -m 644 uapi/linux/sef.h $(dkms)/uapi/linux
	sed 's/#MODULE_VERSION#/$(version)/' packaging/dkms.conf >$(dkms)/dkms.conf
	$(if $(DESTDIR),,dkms install sef/$(version))

# What an installation would write.
uninstall: ## remove again what install or install-dkms has put there
	$(if $(DESTDIR),,[ ! -d /var/lib/dkms/sef/$(version) ] || dkms remove sef/$(version) --all)
	root=$$(mktemp -d) && \
	$(MAKE) -s install prefix=$(prefix) DESTDIR=$$root >/dev/null && \
	(cd $$root && find . ! -type d) | while read -r file; do rm -f "$(DESTDIR)/$$file"; done; \
	rm -r $$root
	rm -rf $(dkms)
	$(if $(DESTDIR),,depmod $$($(kbuild) -s kernelrelease) && ldconfig)

# The key is one that the machine's firmware knows: see README.md.
MOK_KEY	?= /var/lib/dkms/mok.key
MOK_CERT ?= /var/lib/dkms/mok.pub
sign: all ## sign sef.ko for Secure Boot, with MOK_KEY= and MOK_CERT=
	$(KDIR)/scripts/sign-file $$(sed -n 's/^CONFIG_MODULE_SIG_HASH="\(.*\)"/\1/p' $(KDIR)/.config) \
		$(MOK_KEY) $(MOK_CERT) sef.ko

deb: ## build the Debian packages, in build/deb; needs their build dependencies
	@packaging/deb

lib: ## build libsef, shared and static, in build/lib
	@$(MAKE) --no-print-directory -C lib OUTPUT=$(CURDIR)/build/lib

install-lib: ## install it, its headers and man pages, below $(prefix), all below $(DESTDIR)
	@$(MAKE) --no-print-directory -C lib OUTPUT=$(CURDIR)/build/lib prefix=$(prefix) install

tools: ## build sefctl in build/tools; needs libjson-c-dev, libncurses-dev
	@$(MAKE) --no-print-directory -C tools OUTPUT=$(CURDIR)/build/tools

install-tools: ## install it and its man page, below $(prefix), all below $(DESTDIR)
	@$(MAKE) --no-print-directory -C tools OUTPUT=$(CURDIR)/build/tools prefix=$(prefix) install

# In a VM, on any machine; nothing touches the machine's own kernel.

modules: ## build sef.ko for KERNEL=6.12, 6.12-rt, 6.1, 7, arm64, ... in build/KERNEL, headers fetched
	@vm/deps
	@vm/fetch busybox $(KERNEL)
	@vm/module $(KERNEL)

vm: modules ## run CMD='...' as root in a VM of KERNEL with sef.ko loaded
	@[ -n "$$CMD" ] || { echo "say what to run: make vm CMD='ls -l /dev/sef'" >&2; exit 1; }
	@vm/run $(KERNEL) "$$CMD"

shell: modules ## the same, an interactive shell
	@vm/run $(KERNEL)

demo: modules ## see a supervised service live, hang and die in a VM
	@[ -z '$(filter $(arches),$(KERNEL))' ] || { echo "make demo is for amd64 only" >&2; exit 1; }
	@$(MAKE) $(if $(filter 1,$(V)),,-s) --no-print-directory -C demo OUTPUT=$(CURDIR)/build/sef/demo
	@vm/run $(KERNEL) /sef/demo/demo

test: ## run the selftests on KERNELS="6.12 6.1"; TESTS="..." for some of them
	@vm/deps test
	@vm/test $(KERNELS)

test-kernels: ## the same on every kernel that sef is for; about an hour
	@vm/deps test
	@PACKAGES= vm/test 6.1 6.12 6.12-rt 7

test-arch: ## the same on other architectures, emulated; a quarter of an hour each
	@vm/deps test
	@vm/test $(arches)

test-packages: ## install, use and purge the Debian packages in a VM that is a Debian
	@vm/deps
	@vm/fetch $(KERNEL)
	@packaging/test $(KERNEL)

# The kernels that watch over themselves are built here, once, into the cache.
test-debug: ## the same on instrumented kernels (KASAN, lockdep, leaks, faults; KCSAN)
	@vm/deps test
	@STRESS_SECONDS=60 vm/test kasan kcsan

lint: ## let every checker look at every file; fails if one finds something
	@vm/deps lint
	@vm/fetch 6.12 kselftest
	@.ci/lint

fuzz: ## fuzz /dev/sef on a kernel with KASAN, and sefctl's parsers, FUZZ_SECONDS=600 in all
	@vm/deps fuzz
	@fuzz/run

coverage: ## which lines and branches of the module the selftests reach
	@vm/deps test
	@vm/coverage

trial: ## lateness of a SIGKILL under load, and false verdicts on 1000 services
	@vm/deps
	@vm/fetch busybox $(KERNEL)
	@vm/module $(KERNEL)
	@trial/run $(KERNEL)

endurance: KERNELS := 6.12 kasan
endurance: ## MINUTES=30 of mixed load on KERNELS="6.12 kasan": nothing in memory grows
	@vm/deps test
	@trial/endurance $(KERNELS)

bench: ## what liveness costs, in instructions, beside its peers; PARTS="..." for some
	@vm/deps bench
	@vm/fetch busybox $(KERNEL)
	@vm/module $(KERNEL)
	@bench/run $(KERNEL) $(PARTS)

trial-why: ## how often the cause of a silence is told right, on KERNELS
	@vm/deps test
	@trial/why $(KERNELS)

fetch-new: ## fetch newer VM kernels if Debian has them
	@vm/deps
	@vm/fetch --new $(KERNELS)

clean: ## remove everything built here
	rm -rf build
	rm -f *.o .*.o *.ko *.mod *.mod.c .*.cmd .*.d modules.order Module.symvers

# Not "distclean": that is what a package's build calls, and this is outside.
clean-cache: clean ## the same, and the cache of VM kernels
	rm -rf $(foreach d,[1-9]* $(arches) kasan kcsan clang coverage fuzz busybox kselftest promtool rootfs-* tmp.* lock rootfs.lock,"$(SEF_CACHE)"/$(d))
	-[ ! -d "$(SEF_CACHE)" ] || rmdir "$(SEF_CACHE)"

.PHONY: all help headers load unload install install-module install-system install-dkms uninstall sign deb lib install-lib tools install-tools modules vm shell demo test test-kernels test-arch test-packages test-debug lint fuzz coverage trial trial-why endurance bench fetch-new clean clean-cache
