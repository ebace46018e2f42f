#!/usr/bin/env bash
# Starts, stops and asks one server, with the words, variables, texts and exit codes of ZooKeeper's script of this name.
#
# zkServer.sh [--config <conf-dir>] {start|start-foreground|stop|version|restart|status|print-cmd} [<cfg>]
#
# Differences: no java, no JMX. -D words of SERVER_JVMFLAGS and JVMFLAGS are handed on, other JVM flags have no effect.

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
OXKEEPER=$(find_program oxkeeper "${OXKEEPER_BIN-}") || exit 1

# A plain name is a file of the configuration folder, a path is used as it is.
if [ -n "${2-}" ]; then
  case $2 in
    */*) ZOOCFG=$2 ;;
    *) ZOOCFG=$ZOOCFGDIR/$2 ;;
  esac
fi
echo "Using config: $ZOOCFG" >&2

prepare_folders() {
  data_dir=$(trimmed_value_of dataDir)
  data_log_dir=$(trimmed_value_of dataLogDir)
  options=()
  if [ -n "${ZOO_DATADIR_AUTOCREATE_DISABLE-}" ]; then
    if [ ! -d "$data_dir/version-2" ]; then
      echo "ZooKeeper data directory is missing at $data_dir fix the path or run initialize"
      exit 1
    fi
    if [ -n "$data_log_dir" ] && [ ! -d "$data_log_dir/version-2" ]; then
      echo "ZooKeeper txnlog directory is missing at $data_log_dir fix the path or run initialize"
      exit 1
    fi
    options+=("-Dzookeeper.datadir.autocreate=false")
  fi
  if [ -z "${ZOOPIDFILE-}" ]; then
    # Without a dataDir the server will say so and stop; until then the pid must not end up in /.
    pid_dir=${data_dir:-$ZOO_LOG_DIR}
    [ -d "$pid_dir" ] || mkdir -p "$pid_dir"
    ZOOPIDFILE=$pid_dir/zookeeper_server.pid
  else
    mkdir -p "$(dirname "$ZOOPIDFILE")"
  fi
  [ -w "$ZOO_LOG_DIR" ] || mkdir -p "$ZOO_LOG_DIR"
  out_file=$ZOO_LOG_DIR/zookeeper-${USER-}-server-$HOSTNAME.out
}

# The -D words reach the program as arguments, so that they are seen in the list of processes as Java's are. The others
# stay in the environment, where the program finds them and says that they have no effect.
collect_options() {
  local word others=
  for word in ${SERVER_JVMFLAGS-} ${JVMFLAGS-}; do
    case $word in
      -D*) options+=("$word") ;;
      *) others+=" $word" ;;
    esac
  done
  unset SERVER_JVMFLAGS
  export JVMFLAGS=${others# }
}

start() {
  local pid
  echo -n "Starting zookeeper ... "
  if [ -f "$ZOOPIDFILE" ]; then
    pid=$(cat "$ZOOPIDFILE")
    if kill -0 "$pid" >/dev/null 2>&1; then
      echo "already running as process $pid."
      exit 1
    fi
  fi
  if ! : >"$out_file"; then
    echo "SERVER DID NOT START"
    exit 1
  fi
  nohup "$OXKEEPER" ${options[@]+"${options[@]}"} "$ZOOCFG" >"$out_file" 2>&1 </dev/null &
  pid=$!
  if ! echo -n "$pid" >"$ZOOPIDFILE"; then
    echo "FAILED TO WRITE PID"
    exit 1
  fi
  sleep 1
  if kill -0 "$pid" >/dev/null 2>&1; then
    echo STARTED
  else
    echo "FAILED TO START"
    exit 1
  fi
}

start_foreground() {
  if [ -n "${ZOO_NOEXEC-}" ]; then
    "$OXKEEPER" ${options[@]+"${options[@]}"} "$ZOOCFG"
  else
    exec "$OXKEEPER" ${options[@]+"${options[@]}"} "$ZOOCFG"
  fi
}

stop() {
  echo -n "Stopping zookeeper ... "
  if [ ! -f "$ZOOPIDFILE" ]; then
    echo "no zookeeper to stop (could not find file $ZOOPIDFILE)"
  else
    kill "$(cat "$ZOOPIDFILE")"
    rm "$ZOOPIDFILE"
    sleep 1
    echo STOPPED
  fi
  exit 0
}

print_cmd() {
  local word
  echo -n "\"$OXKEEPER\""
  for word in ${options[@]+"${options[@]}"}; do
    echo -n " \"$word\""
  done
  echo " \"$ZOOCFG\" > \"$out_file\" 2>&1 < /dev/null"
}

# Sets address and port from this server's line in the membership, and says what it does not find.
find_member_port() {
  local my_id member
  my_id=$(cat "$(trimmed_value_of dataDir)/myid" 2>/dev/null)
  if ! [[ $my_id =~ ^[0-9]+$ ]]; then
    echo "myid could not be determined, will not able to locate clientPort in the server configs."
    return
  fi
  member=$(value_of "server.$my_id=.*;.*" | sed -e 's/.*;//')
  if [ -z "$member" ]; then
    echo "Client port not found in static config file. Looking in dynamic config file."
    member=$(value_of "server.$my_id=.*;.*" "$(trimmed_value_of dynamicConfigFile)" | sed -e 's/.*;//')
  fi
  if [ -z "$member" ]; then
    echo "Client port not found in the server configs"
    return
  fi
  if [[ $member =~ ^\[(.*)\]:[0-9]+ ]] || [[ $member =~ ^(.*):[0-9]+ ]]; then
    address=${BASH_REMATCH[1]}
  fi
  port=${member##*:}
}

# The original's words, which somebody may look for.
hint_at_ssl() {
  cat <<END
 
Note: We used secureClientPort ($port) to establish connection, but we failed. The 'status'
  command establishes a client connection to the server to execute diagnostic commands. Please make sure you
  provided all the Client SSL connection related parameters in the CLIENT_JVMFLAGS environment variable! E.g.:
  CLIENT_JVMFLAGS="-Dzookeeper.clientCnxnSocket=org.apache.zookeeper.ClientCnxnSocketNetty
  -Dzookeeper.ssl.trustStore.location=/tmp/clienttrust.jks -Dzookeeper.ssl.trustStore.password=password
  -Dzookeeper.ssl.keyStore.location=/tmp/client.jks -Dzookeeper.ssl.keyStore.password=password
  -Dzookeeper.client.secure=true" ./zkServer.sh status
 
END
}

status() {
  local address port secure=false answer
  address=$(trimmed_value_of 'clientPortAddress[^[:alpha:]]')
  address=${address:-localhost}
  port=$(value_of 'clientPort[^[:alpha:]]')
  if ! [[ $port =~ ^[0-9]+$ ]]; then
    find_member_port
  fi
  if [ -z "$port" ]; then
    echo "Client port not found. Looking for secureClientPort in the static config."
    port=$(value_of 'secureClientPort[^[:alpha:]]')
    if [ -z "$port" ]; then
      echo "Unable to find either secure or unsecure client port in any configs. Terminating."
      exit 1
    fi
    secure=true
    address=$(trimmed_value_of 'secureClientPortAddress[^[:alpha:]]')
    address=${address:-localhost}
  fi
  echo "Client port found: $port. Client address: $address. Client SSL: $secure."
  # The probe has no TLS in this build, and no server of this build listens with it.
  if [ "$secure" = false ]; then
    answer=$("$OXKEEPER" four-letter "$address" "$port" srvr 2>/dev/null | grep Mode)
  fi
  if [ -z "${answer-}" ]; then
    if [ "$secure" = true ]; then
      hint_at_ssl
    fi
    echo "Error contacting service. It is probably not running."
    exit 1
  fi
  echo "$answer"
  exit 0
}

case ${1-} in
  start | start-foreground | stop | print-cmd)
    prepare_folders
    collect_options
    ;;
esac

case ${1-} in
  start) start ;;
  start-foreground) start_foreground ;;
  stop) stop ;;
  print-cmd) print_cmd ;;
  version) "$OXKEEPER" --version 2>/dev/null ;;
  restart)
    shift
    "$ZOOBINDIR/zkServer.sh" --config "$ZOOCFGDIR" stop "$@"
    sleep 3
    "$ZOOBINDIR/zkServer.sh" --config "$ZOOCFGDIR" start "$@"
    ;;
  status) status ;;
  *)
    echo "Usage: $0 [--config <conf-dir>] {start|start-foreground|stop|version|restart|status|print-cmd}" >&2
    ;;
esac
