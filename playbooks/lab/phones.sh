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

# Every phone asks the real DHCP servers; what each got is kept for its next reset.
lease_all() {
  local number
  : >"$lab/leases"
  for number in $(seq $phones_count); do
    echo "$number $(option150_addresses "$(option150 "$(phone_mac "$number")")")" >>"$lab/leases"
  done
}

# Resets all phones at once: each fetches lists and configuration from the TFTP servers it was given, asks TVS where it does not know a signer, and registers
# at the CallManager group of the configuration it accepted. Sets moved (at the destination, by its list), home (at the source) and locked (refused something).
reset_phones() {
  local number addresses end
  lease_all
  while read -r number addresses; do
    echo "$(phone_name "$number") --device $(phone_name "$number") --state $lab/phones/$(phone_name "$number") --model CP-8861 --tftp $addresses --timeout 3"
  done <"$lab/leases" >"$lab/resets"
  mkdir -p "$lab/phones" "$lab/boots"
  rm -f "$lab"/boots/*
  # Exit 2 is a locked phone, which is a result.
  # shellcheck disable=SC2016
  in_ns phone xargs -P 10 -L 1 sh -c 'boots=$0 program=$1 name=$2; shift 2; "$program" phone boot "$@" >"$boots/$name" 2>&1; echo $? >"$boots/$name.exit"' \
    "$lab/boots" "$build_dir/trustline" <"$lab/resets"
  count_phones
}

count_phones() {
  local number name list
  moved=0 home=0 locked=0
  for number in $(seq $phones_count); do
    name=$(phone_name "$number")
    case $(cat "$lab/boots/$name.exit") in
      0) ;;
      2) locked=$((locked + 1)) ;;
      *)
        echo "the simulated phone $name came to no end:" >&2
        tail -5 "$lab/boots/$name" >&2
        return 1
        ;;
    esac
    for list in "$lab"/nodes/{src,dst}-*/tftp/ITLFile.tlv; do
      cmp -s "$list" "$lab/phones/$name/ITL.tlv" || continue
      case $list in */dst-*) moved=$((moved + 1)) ;; *) home=$((home + 1)) ;; esac
      break
    done
  done
}
say_phones() { echo "    $moved of $phones_count phones at the destination, $home at the source; $locked locked"; }

# What is known of the phones, as trustline's gates want it: the digests of their lists and whom they ask as TVS.
write_evidence() {
  local number name group
  echo "device,subnet,model,itl,ctl,tvs,read_at"
  for number in $(seq $phones_count); do
    name=$(phone_name "$number")
    group=$(sed -n 's|.*<processNodeName>\(.*\)</processNodeName>.*|\1|p' "$lab/phones/$name/config.xml" | paste -sd ' ')
    echo "$name,10.30.0.0/24,CP-8861,$(sha1sum <"$lab/phones/$name/ITL.tlv" | cut -d' ' -f1),none,$group,$(date -u +%Y-%m-%dT%H:%M:%SZ)"
  done
}
