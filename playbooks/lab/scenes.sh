# Sourced by playbooks/lab/run: what is shown.

# The whole way: plan, verdict, migration, a second run, the pointer back.
show_migration() {
  say "trustline plan migrate-phones.yml --diff"
  migrate plan --diff
  phase "migrate"
  migrate apply
  show_pointer "what the phones get after the migration"
  [ "$floor_gets $pilot_gets" = "$destination_bytes $destination_bytes" ] || fail "the phones do not get the destination's addresses"
  phase "the phones are reset"
  reset_phones
  say_phones
  [ "$moved $locked" = "$phones_count 0" ] || fail "not every phone moved"
  cat "$lab/boots/$(phone_name 2)"

  phase "migrate again: nothing to change"
  write_evidence >"$lab/phones.csv"
  migrate apply | tee "$lab/second-run"
  # All six nodes that can change, and nothing changed, failed or silent on any.
  [ "$(grep -cE '^(src|dst|dhcp)-[a-z0-9]+ +: ok=[1-9][0-9]* +changed=0 +unreachable=0 +failed=0 ' "$lab/second-run")" = 6 ] ||
    fail "the second run changed something"
  operate status -i "$lab/inventory.yml"

  phase "put the pointer back"
  operate rollback -i "$lab/inventory.yml" -l dhcp
  show_pointer "what the phones get after the rollback"
  [ "$floor_gets $pilot_gets" = "$source_bytes $source_bytes" ] || fail "the rollback did not bring the old bytes back"
  phase "the phones are reset once more"
  reset_phones
  say_phones
  [ "$home $locked" = "$phones_count 0" ] || fail "not every phone came back"
  write_evidence >"$lab/phones.csv"
  operate history list
  say "moved to the destination and back: $source_bytes -> $destination_bytes -> $source_bytes"
}

# Every wave waits for its phones. The pilot's is reset and arrives; nobody resets the others, so their wave, and only theirs, is put back.
show_late_phones() {
  local code=0 pid
  phase "migrate, and wait for the phones of every wave"
  sed 's|^  gate: |  arrival: { at_least: "100%", within: 40s, every: 1s }\n&|' "$root/playbooks/migrate-phones.yml" >"$lab/migrate-and-wait.yml"
  operate apply "$lab/migrate-and-wait.yml" -i "$lab/inventory.yml" >"$lab/late" 2>&1 || exit $? &
  pid=$!
  wait_for 60 "the pilot's pointer" pilot_moved
  reset_phones
  say_phones
  write_evidence >"$lab/phones.new"
  mv "$lab/phones.new" "$lab/phones.csv"
  wait $pid || code=$?
  cat "$lab/late"
  [ $code = 12 ] || fail "apply ended with exit code $code instead of 12"
  show_pointer "what the phones get after the second wave was put back"
  [ "$floor_gets $pilot_gets" = "$source_bytes $destination_bytes" ] || fail "not exactly the second wave was put back"
  say "the pilot stays at the destination, the floor at the source, exit 12"
}
pilot_moved() { [ "$(option150 "$(phone_mac 1)")" = $destination_bytes ]; }

# One thing is wrong: the gate refuses before option 150 changes; with the gate overridden phones are locked.
show_break() {
  local name=$1 code=0 units
  break_units "$name"
  phase "exchange certificates, and break: $name"
  echo "    $(explain_break "$name")"
  migrate apply --tags export,consolidate,import "${units[@]}" >"$lab/exchanged" || { cat "$lab/exchanged"; fail "the exchange failed"; }
  break_cutover "$name"

  phase "the gate"
  migrate preflight "${units[@]}" || code=$?
  [ $code = 8 ] || fail "preflight ended with exit code $code instead of 8"
  code=0
  migrate apply --tags pointer "${units[@]}" || code=$?
  [ $code = 8 ] || fail "apply ended with exit code $code instead of 8"
  show_pointer "what the phones get after the refusal"
  [ "$floor_gets $pilot_gets" = "$source_bytes $source_bytes" ] || fail "option 150 was changed"

  phase "the same with the gate overridden"
  operate --as chief apply "$root/playbooks/migrate-phones.yml" -i "$lab/inventory.yml" --tags pointer "${units[@]}" --override-gate "to see what happens"
  show_pointer "what the phones get then"
  [ "$floor_gets $pilot_gets" = "$destination_bytes $destination_bytes" ] || fail "the pointer was not moved"
  reset_phones
  say_phones
  [ "$locked" -gt 0 ] || fail "no phone was locked: the gate refused for nothing"
  say "$name: the gate refused, exit 8; overridden, $locked of $phones_count phones were locked"
}
