# Sourced by playbooks/lab/run: the TFTP servers of the cluster nodes, real ones, and the configurations phones fetch from them.

make_tftp() {
  local node
  for node in src-pub src-sub1 dst-pub dst-sub1; do
    mkdir -p "$lab/nodes/$node/tftp"
    run_in "$node" tftpd /usr/sbin/in.tftpd --foreground --address 0.0.0.0:69 --user nobody --secure "$lab/nodes/$node/tftp"
  done
}

# A phone's configuration: which CallManager group it belongs to, which is also whom it asks as TVS.
phone_config() { # phone_config FIRST SECOND
  cat <<EOF
<?xml version="1.0" encoding="UTF-8"?>
<device>
  <deviceProtocol>SIP</deviceProtocol>
  <devicePool>
    <callManagerGroup>
      <members>
        <member priority="0"><callManager><processNodeName>$1</processNodeName></callManager></member>
        <member priority="1"><callManager><processNodeName>$2</processNodeName></callManager></member>
      </members>
    </callManagerGroup>
  </devicePool>
</device>
EOF
}

# Every phone is known to both clusters. Odd phones prefer the publisher, even ones the subscriber.
make_phone_configs() {
  local number cluster net first second node
  for number in $(seq $phones_count); do
    for cluster in src dst; do
      net=$([ $cluster = src ] && echo 10.10.0 || echo 10.20.0)
      if [ $((number % 2)) = 1 ]; then first=$net.11 second=$net.12; else first=$net.12 second=$net.11; fi
      for node in $cluster-pub $cluster-sub1; do
        phone_config "$first" "$second" >"$lab/nodes/$node/tftp/$(phone_name "$number").cnf.xml"
      done
    done
  done
}
