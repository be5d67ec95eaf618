# Sourced by playbooks/lab/run and tests/run: installs what is missing, builds, and says how long each phase took. Needs $root, the top of the source tree.

say() { printf '==> %s\n' "$*"; }

# phase NAME: what follows, until the next phase, counts as NAME.
phases=()
phase_name=
phase() {
  end_phase
  phase_name=$1 phase_began=$SECONDS
  say "$1"
}
end_phase() {
  [ -n "$phase_name" ] || return 0
  local took=$((SECONDS - phase_began))
  phases+=("$(printf '%-44s %2d min %02d s' "$phase_name" $((took / 60)) $((took % 60)))")
  phase_name=
}
print_phases() {
  end_phase
  say "time per phase"
  printf '    %s\n' "${phases[@]}"
}

build_packages=(g++ git cmake ninja-build pkg-config ccache mold libgrpc++-dev libprotobuf-dev protobuf-compiler protobuf-compiler-grpc libssl-dev libssh-dev
  libgtest-dev libgmock-dev libyaml-cpp-dev libsqlite3-dev libcli11-dev nlohmann-json3-dev libexpat1-dev libcurl4-openssl-dev)
lab_packages=(openssh-server kea-dhcp4-server udhcpc iproute2 openssl tftpd-hpa busybox faketime)
check_packages=(clang-format-16 clang-tidy-16 clang-16 libclang-rt-16-dev)

# install_packages NAME...: apt-get for those that are not there yet. No package may start a service: this machine's DHCP and SSH are not ours.
install_packages() {
  local missing=() package
  for package in "$@"; do
    [ "$(dpkg-query -W -f '${db:Status-Status}' "$package" 2>/dev/null)" = installed ] || missing+=("$package")
  done
  [ ${#missing[@]} -eq 0 ] && return 0
  if [ "$(id -u)" != 0 ]; then
    echo "these Debian packages are missing and only root can install them: ${missing[*]}" >&2
    return 1
  fi
  say "apt-get install ${missing[*]}"
  # In a subshell, so that its trap takes our policy away also when interrupted.
  (
    policy=/usr/sbin/policy-rc.d
    log=$(mktemp)
    made=
    trap 'rm -f "$log"; [ -z "$made" ] || rm -f $policy' EXIT
    trap 'exit 130' INT TERM
    if [ ! -e $policy ]; then
      made=yes
      printf '#!/bin/sh\nexit 101\n' >$policy
      chmod 755 $policy
    fi
    code=0
    if ! { DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "${missing[@]}" ||
      { apt-get -q update && DEBIAN_FRONTEND=noninteractive apt-get -q install -y --no-install-recommends "${missing[@]}"; }; } >"$log" 2>&1; then
      tail -20 "$log" >&2
      code=1
    fi
    exit $code
  )
}

# build PRESET [TARGET...]
build() {
  local preset=$1 dir log
  shift
  dir=$root/build${preset_suffix[$preset]}
  log=$dir/build.log
  mkdir -p "$dir"
  # Output only where it helps: a quiet build is a good build.
  if ! { cmake -S "$root" --preset "$preset" && cmake --build "$dir" ${1:+--target "$@"}; } >"$log" 2>&1; then
    grep -aE 'error|FAILED|CMake Error' "$log" | head -40 >&2
    tail -30 "$log" >&2
    return 1
  fi
}
declare -A preset_suffix=([default]= [dev]=-dev [sanitize]=-sanitize [fuzz]=-fuzz)
