"""The remote loop for hosts without python3: POSIX sh builtins (dash, bash, busybox ash), whole seconds."""

from __future__ import annotations

# $1 is the version, $2 NONCE=, $3 INTERVAL=, $4 SILENCE=. What is not plain to see:
# - `read -t` is not POSIX, so a reader process takes the heartbeats and signals this shell: USR1 for each, TERM at
#   the end of stdin. A background job's stdin is /dev/null, hence descriptor 3.
# - sleep runs in the background and is waited for, so that a signal is served at once and the sleep goes with us.
# - df writes straight to the channel between two of our marks; a timer signals USR2 where it hangs, and a df that
#   cannot be killed (dead NFS server) is never started a second time. The timer may outlive us by its four seconds.
# - Of each file only what is read of it is sent: no headers, no columns of other intervals, no loop devices.
# - It cannot take another interval from its reader: told one it ends with 75, and is started anew.
# - ksh ends a child that it forks while a trapped signal waits (its df then prints nothing), so heartbeats are ignored
#   from well before the df to after it: the next one is five seconds away, the silence allowed fifteen.
SHELL_PROGRAM = """
n='
'
N=@${2#NONCE=} I=${3#INTERVAL=} H=${4#SILENCE=}
case $I in *.*) I=$((${I%%.*}+1));; esac
H=${H%%.*}
now=0 q=0 s= p= w= h= t=0 d=0 R=
up() {
  u=
  { read -r u x </proc/uptime; } 2>/dev/null
  now=${u%%.*}
  now=${now:-0}
}
bye() {
  trap - TERM HUP INT PIPE USR1 USR2
  kill $R $s $w 2>/dev/null
  [ -z "$p" ] || kill -9 $p 2>/dev/null
  exit ${1:-0}
}
beat() {
  { read -r b x </proc/uptime; } 2>/dev/null
  b=${b%%.*}
}
nap() {
  sleep "$1" >/dev/null 2>&1 & s=$!
  wait $s
  while [ $? -gt 128 ] && kill -0 $s 2>/dev/null; do wait $s; done
  s=
}
sect() {
  r=ok
  [ -e "$2" ] || r=absent
  [ $r = absent ] || [ -r "$2" ] || r=forbidden
  o="$o$N S $1 $r$n"
}
whole() {
  sect "$1" "$2"
  [ $r = ok ] || return 0
  { while IFS= read -r l; do o="$o$l$n"; done <"$2"; } 2>/dev/null
}
but() {
  f=$o
  sect $3 $4
  [ $r = ok ] || return 0
  e=$o
  { while IFS= read -r l; do
    case $l in
      $1|$2) ;;
      *) o="$o$l$n";;
    esac
  done <$4; } 2>/dev/null
  [ "$o" != "$e" ] || { o=$f; whole $3 $4; }
}
some() {
  sect "$1" "$2"
  [ $r = ok ] || return 0
  a=
  { read -r a l x <"$2"; } 2>/dev/null
  [ -z "$a" ] || o="$o$a $l$n"
}
job() {
  if [ $t = 1 ] || { [ -n "$h" ] && kill -0 $h 2>/dev/null; }; then
    printf '%s\\n' "$N S $1 timeout"
    return 0
  fi
  h=
  printf '%s\\n' "$N S $1 ok"
  df $2 2>/dev/null & p=$!
  wait $p
  while [ $? -gt 128 ] && [ $t = 0 ] && kill -0 $p 2>/dev/null; do wait $p; done
  if [ $t = 1 ]; then
    h=$p
    kill -9 $p 2>/dev/null
    printf '%s\\n' "$N S $1 timeout"
  fi
  p=
}
frame() {
  o="$N F 1 $q $boot ${u:--} -$n"
  sect stat /proc/stat
  [ $r != ok ] || while read -r k l; do
    case $k in
      cpu|btime) o="$o$k $l$n";;
      cpu*) o="$o$k$n";;
      procs_running) o="$o$k $l$n";;
      procs_blocked) o="$o$k $l$n"; break;;
    esac
  done </proc/stat
  sect meminfo /proc/meminfo
  [ $r != ok ] || while read -r k l; do
    case $k in
      MemTotal:|MemAvailable:|SwapTotal:) o="$o$k $l$n";;
      SwapFree:) o="$o$k $l$n"; break;;
    esac
  done </proc/meminfo
  whole loadavg /proc/loadavg
  some pressure_cpu /proc/pressure/cpu
  some pressure_memory /proc/pressure/memory
  some pressure_io /proc/pressure/io
  but '* loop*' '* ram*' diskstats /proc/diskstats
  but '*|*' '*|*' netdev /proc/net/dev
  if [ $now -ge $d ]; then
    d=$((now+10))
    trap '' USR1
    whole mounts /proc/self/mounts
    printf '%s' "$o"
    o=
    t=0
    ( trap 'kill $k; exit' TERM; sleep 4 & k=$!; wait $k; kill -USR2 $$ ) >/dev/null 2>&1 & w=$!
    job df '-P -k'
    job dfi '-P -i'
    kill $w 2>/dev/null
    w=
    trap beat USR1
  fi
  printf '%s' "$o$N E $q$n"
  q=$((q+1))
}
up
boot=-
[ ! -r /proc/sys/kernel/random/boot_id ] || read -r boot </proc/sys/kernel/random/boot_id
if [ -z "$u" ]; then
  frame
  echo 'no /proc/uptime on this host' >&2
  exit 3
fi
b=$now
exec 3<&0 2>/dev/null
trap beat USR1
trap 't=1' USR2
trap bye TERM INT PIPE
trap 'bye 75' HUP
( while IFS= read -r x; do
    case $x in
      '') kill -USR1 $$ || exit 0;;
      *) kill -HUP $$; exit 0;;
    esac
  done
  kill -TERM $$ ) <&3 >/dev/null 2>&1 & R=$!
exec </dev/null 3<&-
next=$now
while :; do
  up
  [ $((now-b)) -lt $H ] || bye
  if [ $now -lt $next ]; then
    z=$((next-now)) y=$((b+H-now))
    [ $y -ge $z ] || z=$y
    nap $z
    continue
  fi
  frame
  up
  next=$((next+I))
  [ $now -lt $next ] || next=$((next+((now-next)/I+1)*I))
done
""".strip()
