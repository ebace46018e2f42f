#!/usr/bin/env bash
# Shows, repairs or chops a transaction log.
#
# zkTxnLogToolkit.sh [-dhrvc] <txn_log_file_name> (-z <zxid>)

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

run_tool txnlog "$@"
