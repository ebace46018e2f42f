#!/usr/bin/env bash
# Counts znodes and bytes below the znodes of a snapshot.
#
# zkSnapshotRecursiveSummaryToolkit.sh <snapshot_file> <starting_node> <max_depth>

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

run_tool summary "$@"
