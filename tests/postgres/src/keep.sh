# Keeps a PostgreSQL server for as long as somebody holds a shared lock on `in_use`, in the folder given first. The rest of the command
# line becomes the ordinary user that the server insists on; it is empty for who is one. A test that is killed lets go like any other.
# While a file `halt` stands in the folder, the server is stopped.
set -u
folder=$1
shift
cd "$folder" || exit 1
if [ ! -s data/PG_VERSION ]; then
  "$@" "$PG/initdb" -D "$folder/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 --no-sync >>log 2>&1 || exit 1
fi
stop() {
  kill -INT "$server"
  wait "$server"
  server=""
}
server="" unused=0
while true; do
  if [ -e halt ]; then
    [ -n "$server" ] && stop
  elif [ -z "$server" ]; then
    "$@" "$PG/postgres" -D "$folder/data" -k "$folder/socket" -c listen_addresses= -c fsync=off -c full_page_writes=off \
      -c max_connections=200 -c shared_buffers=16MB >>log 2>&1 &
    server=$!
    echo "$server" >server.pid
  elif ! kill -0 "$server" 2>/dev/null; then
    exit 1
  fi
  sleep 0.2
  if flock -n -x in_use true; then unused=$((unused + 1)); else unused=0; fi
  [ "$unused" -lt 15 ] && continue
  # Nobody comes in while the gate is closed, and whoever came in before it closed is seen.
  exec 9>gate
  flock -x 9
  if flock -n -x in_use true; then
    [ -n "$server" ] && stop
    cd /
    rm -rf "$folder"
    exit 0
  fi
  exec 9>&-
  unused=0
done
