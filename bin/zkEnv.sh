#!/usr/bin/env bash
# The variables of the scripts beside this file. To be sourced with the arguments of the script, with ZOOBINDIR set.
#
# In:  ZOOCFGDIR ZOOCFG ZOO_LOG_DIR SERVER_JVMFLAGS CLIENT_JVMFLAGS JVMFLAGS, the programs' places in OXKEEPER_BIN and
#      OXKEEPER_TOOLS_BIN and OXKEEPER_CLI_BIN, and the files zookeeper-env.sh and java.env
# Out: ZOOCFGDIR, ZOOCFG as a path, ZOO_LOG_DIR, and the functions below; consumes --config <dir>

ZOOBINDIR=${ZOOBINDIR:-/usr/bin}
ZOOKEEPER_PREFIX=$ZOOBINDIR/..

if [ "${1-}" = "--config" ] && [ $# -gt 1 ]; then
  ZOOCFGDIR=$2
  shift 2
fi

if [ -z "${ZOOCFGDIR-}" ]; then
  if [ -e "$ZOOKEEPER_PREFIX/conf" ]; then
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
ZOO_LOG_DIR="${ZOO_LOG_DIR:-$ZOOKEEPER_PREFIX/logs}"

# Prints where the program $1 is: $2 if that is set, or the first that can be run in a release or a checkout. A place
# that was named and has no program is not silently replaced by another one.
find_program() {
  local candidates candidate
  if [ -n "${2-}" ]; then
    candidates=("$2")
  else
    candidates=("$ZOOBINDIR/../libexec/$1" "$ZOOBINDIR/$1" "$ZOOBINDIR/../target/release/$1")
  fi
  for candidate in "${candidates[@]}"; do
    if [ -f "$candidate" ] && [ -x "$candidate" ]; then
      echo "$candidate"
      return
    fi
  done
  echo "Error: the program $1 was not found (looked for ${candidates[*]}); build it, or say where it is in" \
    "$(echo "$1" | tr 'a-z-' 'A-Z_')_BIN." >&2
  return 1
}

# Puts the -D words of $* into the array properties. There is no JVM for the others.
collect_properties() {
  local word
  properties=()
  for word in $*; do
    case $word in
      -D*) properties+=("$word") ;;
    esac
  done
}

# Becomes the file tool $1 with the arguments behind it.
run_tool() {
  local program
  program=$(find_program oxkeeper-tools "${OXKEEPER_TOOLS_BIN-}") || exit 1
  collect_properties "${JVMFLAGS-}"
  exec "$program" ${properties[@]+"${properties[@]}"} "$@"
}

# What stands behind the last = of the lines that start with the words $1, in the file $2 or the configuration.
value_of() {
  grep "^[[:space:]]*$1" "${2:-$ZOOCFG}" 2>/dev/null | sed -e 's/.*=//'
}

# The same without blanks around it.
trimmed_value_of() {
  value_of "$@" | sed -e 's/^[[:space:]]*//' -e 's/[[:space:]]*$//'
}
