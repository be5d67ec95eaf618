# Sourced by playbooks/lab/run: what can be wrong before a cutover. Each break is made where it would happen in the field, by hand and behind trustline's back.

breaks="signer-missing callmanager-trust-only tvs-stopped tvs-expired itlrecovery-forgotten itl-tampered phones-cut-off stale-phone-list"
explain_break() {
  case $1 in
    signer-missing) echo "the signer of the destination's lists is missing on one subscriber of the source" ;;
    callmanager-trust-only) echo "the signer was imported into CallManager-trust, but not into Phone-SAST-trust" ;;
    tvs-stopped) echo "the source's Trust Verification Services do not run" ;;
    tvs-expired) echo "the TVS certificates that the phones' lists name have expired" ;;
    itlrecovery-forgotten) echo "only CallManager certificates were exchanged, but a version 14 signs its lists with ITLRecovery" ;;
    itl-tampered) echo "one byte of the destination's ITL has changed on its TFTP servers" ;;
    phones-cut-off) echo "a firewall lets nothing from the phones' network to TCP 2445" ;;
    stale-phone-list) echo "the source's TVS certificates were regenerated after the phones had fetched their lists" ;;
    *) return 1 ;;
  esac
}

# The signer of the destination's lists, as a store of node $1 holds it: the PEM files with its fingerprint.
signer_files() { # signer_files NODE STORE
  local want file
  want=$(openssl x509 -noout -fingerprint -sha256 -in "$(echo "$lab"/nodes/dst-pub/certificates/ITLRecovery/*.pem)")
  for file in "$lab/nodes/$1/certificates/$2"/*.pem; do
    [ "$(openssl x509 -noout -fingerprint -sha256 -in "$file")" = "$want" ] && echo "$file"
  done
  return 0
}

# A fresh self-signed TVS identity of node $1 in place of the one that is there; made under the command that follows, if any.
replace_tvs_identity() { # replace_tvs_identity NODE [COMMAND...]
  local node=$1 dir=$lab/nodes/$1/certificates/TVS stem
  shift
  rm "$dir"/*
  "$@" openssl req -x509 -newkey rsa:2048 -nodes -days 30 -subj "/O=trustline/OU=src/CN=$node-tvs" -keyout "$dir/new.key" -out "$dir/new.pem" 2>/dev/null
  stem=$(openssl x509 -in "$dir/new.pem" -noout -serial | cut -d= -f2)-$(openssl x509 -in "$dir/new.pem" -outform DER | sha256sum | cut -c1-16)
  chmod 600 "$dir/new.key"
  mv "$dir/new.pem" "$dir/$stem.pem"
  mv "$dir/new.key" "$dir/$stem.key"
}

# Before the clusters have lists and services.
break_identities() {
  case $1 in
    tvs-expired) for node in src-pub src-sub1; do replace_tvs_identity "$node" faketime '2 years ago'; done ;;
  esac
}
# After everything was exchanged and imported, before any pointer moves.
break_cutover() {
  local node
  case $1 in
    signer-missing)
      for store in Phone-SAST-trust CallManager-trust; do rm $(signer_files src-sub1 $store); done
      ;;
    callmanager-trust-only)
      for node in src-pub src-sub1; do rm $(signer_files $node Phone-SAST-trust); done
      ;;
    tvs-stopped)
      for node in src-pub src-sub1; do in_ns $node "$root/playbooks/lab/tvs-service" "$lab/nodes/$node/tvs" "$build_dir/trustline-tvs" stop; done
      ;;
    itl-tampered)
      for node in dst-pub dst-sub1; do printf 'X' | dd of="$lab/nodes/$node/tftp/ITLFile.tlv" bs=1 seek=1000 conv=notrunc status=none; done
      ;;
    phones-cut-off)
      in_ns core ip rule add iif br-phones ipproto tcp dport 2445 prohibit
      ;;
    stale-phone-list)
      for node in src-pub src-sub1; do replace_tvs_identity $node; done
      operate apply "$root/playbooks/cluster-tvs.yml" -i "$lab/inventory.yml" -l source >/dev/null
      ;;
  esac
}
# What is exchanged; one break forgets the half. Sets units, arguments of every command on the migration.
break_units() {
  units=()
  [ "$1" != itlrecovery-forgotten ] || units=(-e '{"migrated_units": ["CallManager"]}')
}
