#!/usr/bin/env bash
# Does it work on a machine that has nothing? Makes an empty Debian tree and runs the first command ever in it.
# SPDX-License-Identifier: Apache-2.0
#
#   tests/house/fresh.sh test    script/test in a fresh clone, with git and a shell there and nothing else
#   tests/house/fresh.sh image   the steps of the Dockerfile, then its entry point and its health check
#   tests/house/fresh.sh run COMMAND...    the same as `test`, with another command
#
# Wants root, debootstrap and a package mirror: the one in this machine's apt sources, which the tree uses too. Exits
# with 77 where it cannot run. FRESH_DIR names a folder to work in (default: a new one, removed at the end).
set -eu
cd "$(dirname "$0")/../.."
source=$PWD

can_run() {
  [ "$(id -u)" = 0 ] && command -v debootstrap >/dev/null && command -v unshare >/dev/null && command -v ip >/dev/null && unshare -m true
}
can_run 2>/dev/null || { echo "fresh: not run: wants root, debootstrap, unshare and ip" && exit 77; }

# Mounts are made in a namespace of our own, so nothing is left when this ends, however it ends.
if [ -z "${FRESH_INNER:-}" ]; then FRESH_INNER=1 exec unshare -m --propagation private "$0" "$@"; fi

work=${FRESH_DIR:-$(mktemp -d)}
mkdir -p "$work"
[ -n "${FRESH_DIR:-}" ] || trap 'cd / && umount -R "$work"/*/proc "$work"/*/dev 2>/dev/null; rm -rf --one-file-system "$work"' EXIT

mirror() {
  { sed -n 's/^URIs: *//p' /etc/apt/sources.list.d/debian.sources 2>/dev/null
    sed -n 's/^deb \(\[[^]]*\] \)\{0,1\}\([^ ]*\).*/\2/p' /etc/apt/sources.list 2>/dev/null
  } | grep -v security | head -1
}

# TREE: an empty Debian with what a network needs to be known here: names, sources, certificates, npm's registry.
make_tree() {
  local tree=$1
  if [ ! -d "$work/base" ]; then
    debootstrap --variant=minbase bookworm "$work/base.part" "$(mirror)" >"$work/debootstrap.log" 2>&1 ||
      { tail -5 "$work/debootstrap.log" && exit 1; }
    cp /etc/resolv.conf /etc/hosts "$work/base.part/etc/"
    rm -f "$work/base.part/etc/apt/sources.list"
    cp /etc/apt/sources.list.d/debian.sources "$work/base.part/etc/apt/sources.list.d/" 2>/dev/null ||
      cp /etc/apt/sources.list "$work/base.part/etc/apt/"
    mkdir -p "$work/base.part/usr/local/share/ca-certificates"
    cp /usr/local/share/ca-certificates/*.crt "$work/base.part/usr/local/share/ca-certificates/" 2>/dev/null || true
    mv "$work/base.part" "$work/base"
  fi
  rm -rf --one-file-system "$tree"
  cp -a "$work/base" "$tree"
  mount -t proc proc "$tree/proc"
  mount --rbind /dev "$tree/dev"
}

inside() { # TREE COMMAND...: with an environment as empty as the tree
  local tree=$1 registry
  shift
  registry=$(npm config get registry 2>/dev/null || true)
  env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/ LANG=C.UTF-8 \
    ${registry:+NPM_CONFIG_REGISTRY="$registry"} chroot "$tree" "$@"
}

fresh_run() { # COMMAND...
  local tree=$work/test rv=0
  make_tree "$tree"
  inside "$tree" sh -c 'apt-get update -q && apt-get install -q -y --no-install-recommends git' >"$work/git.log" 2>&1
  git clone -q --no-hardlinks "$source" "$tree/src"
  echo "fresh: $* in an empty Debian"
  inside "$tree" sh -c 'cd /src && exec "$@"' sh "$@" || rv=$?
  echo "fresh: $* ended with $rv after $SECONDS s"
  return $rv
}

# ---- the Dockerfile's instructions ----

tree= dir= user=
declare -A stage=()
step_FROM() { # IMAGE [AS NAME]
  tree=$work/stage${#stage[@]} dir=/ user=root
  stage[${3:-last}]=$tree
  make_tree "$tree"
}
step_WORKDIR() {
  dir=$1
  mkdir -p "$tree$dir"
  chown "$(inside "$tree" id -u "$user")" "$tree$dir"
}
step_COPY() { # [--from=STAGE] SOURCE TARGET
  local from=$work/context target
  case $1 in --from=*) from=${stage[${1#--from=}]} && shift ;; esac
  case $2 in /*) target=$tree$2 ;; *) target=$tree$dir/$2 ;; esac
  if [ -d "$from/$1" ]; then mkdir -p "$target" && cp -a "$from/$1/." "$target/"; else
    mkdir -p "$(dirname "$target")" && cp -a "$from/$1" "$target"
  fi
}
step_RUN() { inside "$tree" sh -c "cd $dir && $*"; }
step_USER() { user=$1; }
step_EXPOSE() { :; }
step_HEALTHCHECK() { health=${*#*CMD }; }
words() { echo "$*" | tr -d '[],"'; }
step_ENTRYPOINT() { entry=$(words "$*"); }
step_CMD() { command=$(words "$*"); }

fresh_image() {
  local instruction rest health='' entry='' command='' pid try
  # What `COPY . .` sees: the tree without what .dockerignore names.
  rm -rf "$work/context"
  git clone -q --no-hardlinks "$source" "$work/context" && rm -rf "$work/context/.git"
  while read -r instruction rest; do
    case $instruction in '' | '#'*) continue ;; esac
    echo "fresh: $instruction $rest ($SECONDS s)"
    # shellcheck disable=SC2086
    case $instruction in
    RUN | HEALTHCHECK) step_"$instruction" "$rest" ;;
    *) step_"$instruction" $rest ;;
    esac
  done <Dockerfile
  # In a network of its own, so that the ports are free, with an address that is not loopback; ended by its process id.
  export tree dir user entry command health work
  unshare -n bash -eu -c '
    ip link set lo up && ip link add eth0 type veth peer name host0
    ip addr add 192.0.2.1/24 dev eth0 && ip link set eth0 up && ip link set host0 up
    chroot --userspec="$user" "$tree" sh -c "cd $dir && exec env -i PATH=/usr/bin:/bin \
      REIN_UPSTREAM_URL=http://127.0.0.1:9000 $entry $command" >"$work/run.log" 2>&1 &
    pid=$!
    healthy=no
    for try in $(seq 100); do
      if chroot --userspec="$user" "$tree" sh -c "$health" 2>/dev/null; then healthy=yes && break; fi
      kill -0 $pid 2>/dev/null || break
      read -r -t 0.1 <> <(:) || true
    done
    kill -TERM $pid 2>/dev/null || true
    rv=0; wait $pid || rv=$?
    echo "fresh: healthy: $healthy, ended with $rv"
    [ $healthy = yes ] && [ $rv = 0 ] || { tail -20 "$work/run.log"; exit 1; }'
  echo "fresh: image done after $SECONDS s"
}

case ${1:-} in
test) fresh_run script/test ;;
run) shift && fresh_run "$@" ;;
image) fresh_image ;;
*) sed -n '2,/^set /s/^# \{0,1\}//p' "$0" && exit 2 ;;
esac
