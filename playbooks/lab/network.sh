# Sourced by playbooks/lab/run: the namespaces and how they are joined.

# ---- the network: a router with one bridge per network -------------------------------------------------------------------------------------------------
networks="src:10.10.0 dst:10.20.0 phones:10.30.0 services:10.40.0"
#      name      network  address
hosts="src-pub   src      11
       src-sub1  src      12
       dst-pub   dst      11
       dst-sub1  dst      12
       dhcp-a    phones   2
       dhcp-b    phones   3
       probe     phones   5
       phone     phones   -
       hub       services 11
       ops       services 12"
make_network() {
  local entry name network address
  ip netns add "$(ns core)"
  in_ns core ip link set lo up
  in_ns core sh -c "echo 1 >/proc/sys/net/ipv4/ip_forward"
  for entry in $networks; do
    in_ns core ip link add "br-${entry%%:*}" type bridge
    in_ns core ip address add "${entry##*:}.1/24" dev "br-${entry%%:*}"
    in_ns core ip link set "br-${entry%%:*}" up
  done
  while read -r name network address; do
    ip netns add "$(ns "$name")"
    in_ns "$name" ip link set lo up
    in_ns core ip link add "p-$name" type veth peer name eth0 netns "$(ns "$name")"
    in_ns core ip link set "p-$name" master "br-$network" up
    in_ns "$name" ip link set eth0 up
    if [ "$address" != - ]; then
      local prefix=
      for entry in $networks; do [ "${entry%%:*}" = "$network" ] && prefix=${entry##*:}; done
      in_ns "$name" ip address add "$prefix.$address/24" dev eth0
      in_ns "$name" ip route add default via "$prefix.1"
    fi
    mkdir -p "$lab/nodes/$name"
  done <<<"$hosts"
}
