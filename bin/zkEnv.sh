#!/usr/bin/env bash
# The variables of the scripts beside this file. To be sourced with the arguments of the script, with ZOOBINDIR set.
#
# In:  ZOOCFGDIR ZOOCFG ZOO_LOG_DIR SERVER_JVMFLAGS JVMFLAGS OXKEEPER_BIN, and the files zookeeper-env.sh and java.env
# Out: ZOOCFGDIR, ZOOCFG as a path, ZOO_LOG_DIR, OXKEEPER (the program); consumes --config <dir>

if [ "${1-}" = "--config" ] && [ $# -gt 1 ]; then
  ZOOCFGDIR=$2
  shift 2
fi

if [ -z "${ZOOCFGDIR-}" ]; then
  if [ -e "$ZOOBINDIR/../conf" ]; then
    ZOOCFGDIR="$ZOOBINDIR/../conf"
  else
    ZOOCFGDIR="$ZOOBINDIR/../etc/zookeeper"
  fi
fi

if [ -f "$ZOOCFGDIR/zookeeper-env.sh" ]; then
  . "$ZOOCFGDIR/zookeeper-env.sh"
fi
ZOOCFG="$ZOOCFGDIR/${ZOOCFG:-zoo.cfg}"
if [ -f "$ZOOCFGDIR/java.env" ]; then
  . "$ZOOCFGDIR/java.env"
fi
ZOO_LOG_DIR="${ZOO_LOG_DIR:-$ZOOBINDIR/../logs}"

# The first of these that can be run. An OXKEEPER_BIN that cannot is not silently replaced by another program.
if [ -n "${OXKEEPER_BIN-}" ]; then
  candidates=("$OXKEEPER_BIN")
else
  candidates=("$ZOOBINDIR/../libexec/oxkeeper" "$ZOOBINDIR/oxkeeper" "$ZOOBINDIR/../target/release/oxkeeper")
fi
OXKEEPER=
for candidate in "${candidates[@]}"; do
  if [ -f "$candidate" ] && [ -x "$candidate" ]; then
    OXKEEPER=$candidate
    break
  fi
done
if [ -z "$OXKEEPER" ]; then
  echo "Error: the program oxkeeper was not found (looked for ${candidates[*]}); set OXKEEPER_BIN or build it." >&2
  exit 1
fi
