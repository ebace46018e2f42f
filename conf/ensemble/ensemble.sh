#!/usr/bin/env bash
# Four servers on this machine that are one ensemble: makes their folders and myid files, starts, stops and asks them.
#
# ensemble.sh {start|stop|restart|status|clean} [<cfg> ...]
#
# Without a <cfg>: the zoo1.cfg to zoo4.cfg beside this file. The number in the name of a <cfg> is the member's myid. Each
# start and stop is one of bin/zkServer.sh, so its variables count here too; what a server prints goes into a folder `out`
# beside its dataDir. clean removes the folders of members that are stopped.

script=${BASH_SOURCE[0]}
while [ -L "$script" ]; do
  target=$(readlink "$script")
  case $target in
    /*) script=$target ;;
    *) script=$(dirname "$script")/$target ;;
  esac
done
here=$(cd "$(dirname "$script")" && pwd)
server=$here/../../bin/zkServer.sh

# What the configuration $2 says for the key $1.
value_of() {
  sed -n -e "s/^[[:space:]]*$1[[:space:]]*=[[:space:]]*//p" "$2" | sed -e 's/[[:space:]]*$//'
}

# Sets what the configuration $1 says of its member; a configuration of no use here ends the script.
read_member() {
  cfg=$1
  if [ ! -f "$cfg" ]; then
    echo "Unable to find config file at $cfg" >&2
    exit 1
  fi
  # A plain name would be looked for in conf.
  case $cfg in
    */*) ;;
    *) cfg=./$cfg ;;
  esac
  data_dir=$(value_of dataDir "$cfg")
  data_log_dir=$(value_of dataLogDir "$cfg")
  my_id=$(basename "$cfg" | tr -dc '0-9')
  if [ -z "$data_dir" ] || [ -z "$my_id" ] || ! grep -q "^[[:space:]]*server\.$my_id[[:space:]]*=" "$cfg"; then
    echo "$cfg is no member's configuration: it needs a dataDir, a number in its name, and a line server.<that number>" >&2
    exit 1
  fi
  out_dir=$(dirname "$data_dir")/out
}

# Makes what is missing, and changes nothing that is there.
prepare() {
  mkdir -p "$data_dir" ${data_log_dir:+"$data_log_dir"} "$out_dir" || exit 1
  [ -e "$data_dir/myid" ] || echo "$my_id" >"$data_dir/myid" || exit 1
}

# Gives the word $1 to zkServer.sh for the member.
tell() {
  echo "Member $my_id:"
  ZOO_LOG_DIR=$out_dir "$server" "$1" "$cfg"
}

clean() {
  local pid_file=$data_dir/zookeeper_server.pid
  if [ -f "$pid_file" ] && kill -0 "$(cat "$pid_file")" 2>/dev/null; then
    echo "Member $my_id is running; stop it first." >&2
    return 1
  fi
  rm -rf "$data_dir" ${data_log_dir:+"$data_log_dir"} "$out_dir"
}

command=${1-}
case $command in
  start | stop | restart | status | clean) shift ;;
  *)
    echo "Usage: $0 {start|stop|restart|status|clean} [<cfg> ...]" >&2
    exit 1
    ;;
esac
if [ $# -eq 0 ]; then
  set -- "$here"/zoo[0-9]*.cfg
fi

failed=0
for member in "$@"; do
  read_member "$member"
  case $command in
    start | restart) prepare && tell "$command" || failed=1 ;;
    clean) clean || failed=1 ;;
    *) tell "$command" || failed=1 ;;
  esac
done
exit $failed
