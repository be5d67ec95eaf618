# Sourced by playbooks/lab/run: the agents and what their nodes run.

# ---- identities: the CA signs requests; every node makes its own key --------------------------------------------------------------------------------------
agents="src-pub src-sub1 dst-pub dst-sub1 dhcp-a dhcp-b probe"
make_identities() {
  local node
  trustline pki init --dir "$lab/ca" --domain lab.example >/dev/null
  trustline pki issue operator lab --ca "$lab/ca" --out "$lab/ops" >/dev/null
  trustline pki issue operator chief --ca "$lab/ca" --out "$lab/chief" >/dev/null
  for node in $agents; do
    trustline pki request agent "$node" --domain lab.example --out "$lab/nodes/$node/pki" >/dev/null
    trustline pki sign agent "$node" "$lab/nodes/$node/pki/$node.csr" --ca "$lab/ca" >/dev/null
    cp "$lab/ca/ca.crt" "$lab/nodes/$node/pki/ca.crt"
  done
}

make_agents() {
  local node dir
  for node in $agents; do
    dir=$lab/nodes/$node
    {
      cat <<EOF
node: $node
domain: lab.example
listen: 0.0.0.0:9443
state_directory: $dir/state
identity: { certificate: $dir/pki/$node.crt, key: $dir/pki/$node.key, ca: $dir/pki/ca.crt }
roles:
  - { operator: lab, role: operator }
  - { operator: chief, role: admin }
EOF
      case $node in
        src-* | dst-*)
          mkdir -p "$dir/certificates" "$dir/tvs"
          cat <<EOF
writable: [$dir/certificates, $dir/tftp, $dir/tvs]
certificates: { root: $dir/certificates }
services:
  - name: tvs
    command:
      status: [$root/playbooks/lab/tvs-service, $dir/tvs, $build_dir/trustline-tvs, status]
      start: [$root/playbooks/lab/tvs-service, $dir/tvs, $build_dir/trustline-tvs, start]
      restart: [$root/playbooks/lab/tvs-service, $dir/tvs, $build_dir/trustline-tvs, restart]
EOF
          ;;
        dhcp-*)
          cat <<EOF
writable: [$dir/kea]
kea:
  config: $dir/kea/kea-dhcp4.conf
  control_socket: $dir/kea/ctrl
  address: $([ "$node" = dhcp-a ] && echo 10.30.0.2 || echo 10.30.0.3)
EOF
          ;;
      esac
    } >"$dir/agent.yaml"
    run_in "$node" agent trustline-agent --config "$dir/agent.yaml"
  done
  for node in $agents; do
    wait_for 15 "the agent on $node" in_ns "$node" bash -c 'exec 3<>/dev/tcp/127.0.0.1/9443'
  done
}
