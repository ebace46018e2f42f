#!/usr/bin/env bash
# Starts the shell, with the words, variables and exit codes of ZooKeeper's script of this name.
#
# zkCli.sh [--config <conf-dir>] [-server host:port,...[/chroot]] [options] [command [words]]
#
# Differences: no java. -D words of CLIENT_JVMFLAGS and JVMFLAGS are handed on, other JVM flags have no effect.

script=${BASH_SOURCE[0]}
[[ $script == */* ]] || script=./$script
while [ -L "$script" ]; do
  target=$(readlink "$script")
  case $target in
    /*) script=$target ;;
    *) script=${script%/*}/$target ;;
  esac
done
ZOOBINDIR=$(cd "${script%/*}" && pwd)

# The first of these that can be run. An OXKEEPER_CLI_BIN that cannot is not silently replaced by another program.
if [ -n "${OXKEEPER_CLI_BIN-}" ]; then
  candidates=("$OXKEEPER_CLI_BIN")
else
  candidates=("$ZOOBINDIR/../libexec/oxkeeper-cli" "$ZOOBINDIR/oxkeeper-cli" "$ZOOBINDIR/../target/release/oxkeeper-cli")
fi
OXKEEPER_BIN=
for candidate in "${candidates[@]}"; do
  if [ -f "$candidate" ] && [ -x "$candidate" ]; then
    OXKEEPER_BIN=$candidate
    break
  fi
done
if [ -z "$OXKEEPER_BIN" ]; then
  echo "Error: the program oxkeeper-cli was not found (looked for ${candidates[*]}); set OXKEEPER_CLI_BIN or build it" \
    "with cargo build --release -p cli" >&2
  exit 1
fi

# zkEnv.sh reads the files with variables, and takes the program from OXKEEPER_BIN.
. "$ZOOBINDIR/zkEnv.sh"

options=()
for word in ${CLIENT_JVMFLAGS-} ${JVMFLAGS-}; do
  case $word in
    -D*) options+=("$word") ;;
  esac
done
exec "$OXKEEPER" ${options[@]+"${options[@]}"} "$@"
