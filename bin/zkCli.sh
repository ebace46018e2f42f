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
if [ -e "$ZOOBINDIR/../libexec/zkEnv.sh" ]; then
  . "$ZOOBINDIR/../libexec/zkEnv.sh"
else
  . "$ZOOBINDIR/zkEnv.sh"
fi

program=$(find_program oxkeeper-cli "${OXKEEPER_CLI_BIN-}") || exit 1
collect_properties "${CLIENT_JVMFLAGS-} ${JVMFLAGS-}"
exec "$program" ${properties[@]+"${properties[@]}"} "$@"
