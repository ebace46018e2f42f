#!/usr/bin/env bash
# Shows a snapshot: its znodes and sessions, with -d their data too, with -json as ncdu reads it.
#
# zkSnapShotToolkit.sh [-d|-json] snapshot_file

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

run_tool snapshot "$@"
