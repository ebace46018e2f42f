#!/usr/bin/env bash
# Makes the folders of a new server, and says that it may start with an empty tree.
#
# zkServer-initialize.sh [--config <conf-dir>] [--configfile=<file>] [--myid=<number>] [--force]

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

usage() {
  cat <<END
usage: $0 <parameters>
  Optional parameters:
     -h                                                    Display this message
     --help                                                Display this message
     --configfile=$(printf '%-40s' "$ZOOCFG") ZooKeeper config file
     --myid=#                                              Set the myid to be used, if any (1-255)
     --force                                               Force creation of the data/txnlog dirs
END
  exit 1
}

unknown() {
  echo "Unknown option: $1"
  usage
}

refuse_existing() {
  if [ -d "$2/version-2" ]; then
    echo "ZooKeeper $1 directory already exists at $2 (or use --force to force re-initialization)"
    exit 1
  fi
}

# The folders themselves stay: they may be mounts, or belong to another user.
make_empty() {
  rm -rf "$1/myid" "$1/version-2" 2>/dev/null
  mkdir -p "$1/version-2"
}

initialize() {
  local data_dir data_log_dir
  if [ ! -e "$ZOOCFG" ]; then
    echo "Unable to find config file at $ZOOCFG"
    exit 1
  fi
  data_dir=$(trimmed_value_of dataDir)
  data_log_dir=$(trimmed_value_of dataLogDir)
  if [ -z "$data_dir" ]; then
    echo "Unable to determine dataDir from $ZOOCFG"
    exit 1
  fi
  if [ -n "$force" ]; then
    echo "Force enabled, data/txnlog directories will be re-initialized"
  else
    refuse_existing data "$data_dir"
    [ -z "$data_log_dir" ] || refuse_existing txnlog "$data_log_dir"
  fi
  make_empty "$data_dir"
  [ -z "$data_log_dir" ] || make_empty "$data_log_dir"
  if [ -n "$my_id" ]; then
    echo "Using myid of $my_id"
    echo "$my_id" >"$data_dir/myid"
  else
    echo "No myid provided, be sure to specify it in $data_dir/myid if using non-standalone"
  fi
  touch "$data_dir/initialize"
}

my_id=
force=
while [ -n "${1-}" ]; do
  case $1 in
    --configfile=?*) ZOOCFG=${1#*=} ;;
    --myid=?*) my_id=${1#*=} ;;
    --configfile | --myid)
      # Without a value the original never ends.
      [ $# -gt 1 ] || unknown "$1"
      if [ "$1" = --myid ]; then my_id=$2; else ZOOCFG=$2; fi
      shift
      ;;
    --force) force=1 ;;
    -h | --help) usage ;;
    *) unknown "$1" ;;
  esac
  shift
done
initialize
