# Sourced by playbooks/lab/run.

# ---- two Keas that serve one scope with the same answers --------------------------------------------------------------------------------------------------
make_dhcp() {
  local node address dir
  for node in dhcp-a dhcp-b; do
    dir=$lab/nodes/$node
    mkdir -p "$dir/kea"
    address=$([ $node = dhcp-a ] && echo 10.30.0.2 || echo 10.30.0.3)
    cat >"$dir/kea/kea-dhcp4.conf" <<EOF
// Phones on floor 3. Both servers give the same answers; each has half of the pool.
{
  "Dhcp4": {
    "interfaces-config": { "interfaces": [ "eth0" ] },
    "control-socket": { "socket-type": "unix", "socket-name": "$dir/kea/ctrl" },
    "lease-database": { "type": "memfile", "persist": false },
    "valid-lifetime": 600,
    "option-def": [
      { "name": "voip-tftp", "code": 150, "type": "ipv4-address", "array": true } // option 150, Cisco's TFTP servers
    ],
    "subnet4": [
      {
        "id": 30,
        "subnet": "10.30.0.0/24",
        "pools": [ { "pool": "10.30.0.$([ $node = dhcp-a ] && echo 100-10.30.0.149 || echo 150-10.30.0.199)" } ],
        "option-data": [
          { "name": "routers", "data": "10.30.0.1" },
          { "name": "voip-tftp", "data": "10.10.0.11, 10.10.0.12" } # the source cluster
        ],
        "reservations": [
          /* the pilot phone */
          { "hw-address": "00:1b:54:aa:bb:01", "ip-address": "10.30.0.201" }
        ]
      }
    ]
  }
}
EOF
    run_in $node kea env KEA_PIDFILE_DIR="$dir/kea" KEA_LOCKFILE_DIR="$dir/kea" /usr/sbin/kea-dhcp4 -c "$dir/kea/kea-dhcp4.conf"
    wait_for 10 "Kea on $node" test -S "$dir/kea/ctrl"
  done
}
