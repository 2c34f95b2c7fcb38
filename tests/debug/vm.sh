#!/bin/sh
# vm.sh BUILD [COMMAND...] - debug mode on a kernel with Yama, in a virtual machine: by hand, not in CI.
#
# Most machines that are built on have a kernel that asks no more than whose a process is. This boots one of Debian's, which
# has Yama, on this machine's own files (read-only, by 9p; /tmp is its own), and runs vm-guest.sh there, or COMMAND: with
# kernel.yama.ptrace_scope 0, 1, 2 and 3, as root and as nobody. It ends by itself, after $VM_SECONDS at the latest.
#
# It needs: apt-get install qemu-system-x86 busybox-static cpio kmod, and root, or whatever may read all of BUILD. The kernel
# is fetched into BUILD/vm by apt-get download; or is a package linux-image-*-amd64 that $VM_KERNEL names. Without /dev/kvm it
# takes some minutes; more processors ($VM_CPUS) make it slower then, if this machine has others to serve. BUILD is not to be
# built meanwhile.
#
# Exit status: 0 if all that was run there was well.
# SPDX-License-Identifier: LGPL-2.1-or-later
set -eu

die() { echo "vm.sh: $*" >&2; exit 1; }

here=$(cd "$(dirname "$0")" && pwd)
build=$(cd "${1:?BUILD is missing}" && pwd)
shift
work=$build/vm
[ $# -gt 0 ] || set -- "$here/vm-guest.sh $build"
seconds=${VM_SECONDS:-1800}

for one in qemu-system-x86_64 busybox cpio depmod dpkg-deb; do
  command -v $one >/dev/null || die "$one is missing: apt-get install qemu-system-x86 busybox-static cpio kmod"
done
mkdir -p "$work"

# --- the kernel ---

if [ ! -e "$work/kernel" ]; then
  package=${VM_KERNEL:-}
  if [ -z "$package" ]; then
    name=$(apt-cache depends linux-image-amd64 | sed -n 's/.*Depends: \(linux-image-.*-amd64\)$/\1/p')
    (cd "$work" && apt-get download "$name") || die "no kernel could be fetched: name a package in VM_KERNEL"
    package=$(echo "$work"/linux-image-*.deb)
  fi
  rm -rf "$work/kernel.new"
  dpkg-deb -x "$package" "$work/kernel.new"
  mv "$work/kernel.new" "$work/kernel"
fi
version=$(ls "$work/kernel/lib/modules")
grep -q '^CONFIG_SECURITY_YAMA=y' "$work/kernel/boot/config-$version" || die "that kernel has no Yama"

# --- what it boots into ---

rm -rf "$work/initramfs"
mkdir -p "$work/initramfs/bin" "$work/initramfs/root"
cp "$(command -v busybox)" "$work/initramfs/bin/busybox"
for one in virtio virtio_pci 9pnet_virtio 9p; do
  modprobe -d "$work/kernel" -S "$version" --show-depends $one 2>/dev/null || { depmod -b "$work/kernel" "$version"
    modprobe -d "$work/kernel" -S "$version" --show-depends $one; }
done | sed -n 's/^insmod //p' | awk '!seen[$1]++ { print $1 }' > "$work/modules"
n=100
while read -r one; do
  cp "$one" "$work/initramfs/$n.ko"
  n=$((n + 1))
done < "$work/modules"
cat > "$work/initramfs/init" <<END
#!/bin/busybox sh
for one in /*.ko; do /bin/busybox insmod \$one || echo "vm.sh: no \$one"; done
/bin/busybox mount -t 9p -o ro,trans=virtio,version=9p2000.L,cache=loose,msize=512000 root /root
/bin/busybox mount -t proc proc /root/proc
/bin/busybox mount -t sysfs sysfs /root/sys
/bin/busybox mkdir -p /dev; /bin/busybox mount -t devtmpfs dev /dev
/bin/busybox mount -t devtmpfs dev /root/dev
/bin/busybox mkdir -p /root/dev/pts /root/dev/shm
/bin/busybox mount -t devpts -o mode=620,ptmxmode=666 devpts /root/dev/pts
/bin/busybox mount -t tmpfs tmpfs /root/tmp
/bin/busybox mount -t tmpfs tmpfs /root/dev/shm
/bin/busybox ifconfig lo up
/bin/busybox chmod 1777 /root/tmp /root/dev/shm
/bin/busybox env -i PATH=/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin HOME=/tmp LANG=C.UTF-8 \
  /bin/busybox setsid -c /bin/busybox chroot /root /bin/sh -c '$*' </dev/ttyS0 >/dev/ttyS0 2>&1 && echo 'vm.sh: all was well'
/bin/busybox poweroff -f
END
chmod +x "$work/initramfs/init"
(cd "$work/initramfs" && find . | cpio -o -H newc --quiet | gzip -1) > "$work/initramfs.gz"

# --- the machine ---

machine="-machine q35 -accel tcg,thread=multi"
[ -w /dev/kvm ] && machine="-machine q35 -accel kvm -cpu host"
# shellcheck disable=SC2086
timeout -k 10 "$seconds" qemu-system-x86_64 ${machine:-} -smp ${VM_CPUS:-1} -m 2048 -nodefaults -display none -no-reboot \
  -kernel "$work/kernel/boot/vmlinuz-$version" -initrd "$work/initramfs.gz" \
  -append "console=ttyS0 quiet panic=-1 mitigations=off loglevel=3" -serial stdio \
  -fsdev local,id=root,path=/,security_model=none,readonly=on,multidevs=remap -device virtio-9p-pci,fsdev=root,mount_tag=root \
  </dev/null | tee "$work/log"
grep -q '^vm.sh: all was well' "$work/log"
