#!/usr/bin/env bash
# Removes the snapshots and logs that the newest snapshots do not need, of the server of the configuration.
#
# zkCleanup.sh [--config <conf-dir>] -n <count>

script=${BASH_SOURCE[0]}
while [ -L "$script" ]; do
  target=$(readlink "$script")
  case $target in
    /*) script=$target ;;
    *) script=$(dirname "$script")/$target ;;
  esac
done
ZOOBINDIR=$(cd "$(dirname "$script")" && pwd)
if [ -e "$ZOOBINDIR/../libexec/zkEnv.sh" ]; then
  . "$ZOOBINDIR/../libexec/zkEnv.sh"
else
  . "$ZOOBINDIR/zkEnv.sh"
fi

data_dir=$(trimmed_value_of dataDir=)
data_log_dir=$(trimmed_value_of dataLogDir=)

# Split into words as the original does, which so takes "-n 3" also as one.
if [ -z "$data_log_dir" ]; then
  run_tool purge "$data_dir" $*
else
  run_tool purge "$data_log_dir" "$data_dir" $*
fi
