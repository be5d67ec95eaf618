# Sourced by playbooks/lab/run: phones and what they are given.

phones_count=20
phone_name() { printf 'SEP001B54AABB%02X' "$1"; }
phone_mac() { printf '00:1b:54:aa:bb:%02x' "$1"; }

# What a phone gets: a real DHCP client asks for option 150 and prints its bytes. The phones' host then has that phone's address.
option150() { # option150 MAC
  cat >"$lab/udhcpc-script" <<'EOF'
#!/bin/sh
[ "$1" = bound ] || exit 0
ip address flush dev "$interface"
ip address add "$ip/$mask" dev "$interface"
ip route replace default via "$router"
echo "$opt150"
EOF
  chmod 755 "$lab/udhcpc-script"
  in_ns phone ip link set eth0 address "$1"
  in_ns phone timeout 30 udhcpc -f -n -q -t 5 -T 2 -O 150 -i eth0 -s "$lab/udhcpc-script" 2>/dev/null
}
show_option150() {
  local hex=$1
  printf '%s  (96 %02x %s)' "$hex" $((${#hex} / 2)) "$(sed 's/../& /g; s/ $//' <<<"$hex")"
}
# 0a0a000b0a0a000c -> 10.10.0.11,10.10.0.12
option150_addresses() {
  local hex=$1 addresses=
  while [ -n "$hex" ]; do
    addresses=$addresses${addresses:+,}$((16#${hex:0:2})).$((16#${hex:2:2})).$((16#${hex:4:2})).$((16#${hex:6:2}))
    hex=${hex:8}
  done
  echo "$addresses"
}
