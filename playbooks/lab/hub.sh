# Sourced by playbooks/lab/run.

# ---- the hub: a real sshd, its user chrooted to SFTP. The user exists only in the hub's own mount namespace; the machine's accounts are not touched. -------
make_hub() {
  local dir=$lab/nodes/hub
  HUB_PASSWORD=$(openssl rand -hex 16)
  mkdir -p "$dir/chroot/data" "$dir/run/sshd" "$dir/run/tl-$id"
  chown root:root "$dir/chroot" && chmod 755 "$dir/chroot"
  ssh-keygen -q -t ed25519 -N '' -f "$dir/host_key"
  { grep -E '^(root|sshd|nobody):' /etc/passwd; echo "bulk:x:7450:7450:hub:/data:/usr/sbin/nologin"; } >"$dir/passwd"
  (umask 077 && echo "bulk:$(openssl passwd -6 -stdin <<<"$HUB_PASSWORD"):19000:0:99999:7:::" >"$dir/shadow")
  chown 7450:7450 "$dir/chroot/data"
  cat >"$dir/sshd_config" <<EOF
ListenAddress 10.40.0.11:22
HostKey $dir/host_key
PidFile none
UsePAM no
PasswordAuthentication yes
PermitRootLogin no
AllowUsers bulk
MaxStartups 100:30:200
Subsystem sftp internal-sftp
ChrootDirectory $dir/chroot
ForceCommand internal-sftp
EOF
  # sshd wants a directory /run/sshd; here it has a /run of its own with that and the lab's directory in it.
  run_in hub sshd unshare -m sh -c "mount --bind '$dir/passwd' /etc/passwd && mount --bind '$dir/shadow' /etc/shadow &&
    mount --bind '$lab' '$dir/run/tl-$id' && mount --rbind '$dir/run' /run && exec /usr/sbin/sshd -D -e -f '$dir/sshd_config'"
  HUB_FINGERPRINT=$(ssh-keygen -lf "$dir/host_key.pub" | awk '{print $2}')
  wait_for 10 "the hub's sshd" in_ns ops bash -c 'exec 3<>/dev/tcp/10.40.0.11/22'
}
