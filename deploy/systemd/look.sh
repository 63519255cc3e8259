# What is there of the service, sent over the login and run by `sh -s`. Prints key=value lines; changes nothing.
# usage: sh -s -- SCOPE ROOT UNIT... -- FILE... -- FOLDER...      (SCOPE: system or user; ROOT may begin with ~/)
scope=$1 root=$2
shift 2
home=${HOME:-/root}
in_home() { case $1 in "~/"*) echo "$home/${1#"~/"}" ;; *) echo "$1" ;; esac; }
names_in() { for f in "$1"/*; do [ ! -e "$f" ] || printf '%s ' "${f##*/}"; done; }

root=$(in_home "$root")
uid=$(id -u) login=$(id -un)
export LC_ALL=C XDG_RUNTIME_DIR="${XDG_RUNTIME_DIR:-/run/user/$uid}"
echo "login=$login"
echo "uid=$uid"
echo "group=$(id -gn)"
echo "home=$home"
if [ "$uid" = 0 ]; then sudo=root
elif ! command -v sudo >/dev/null 2>&1; then sudo=missing
elif sudo -n true >/dev/null 2>&1; then sudo=yes
else sudo=password; fi
echo "sudo=$sudo"
if systemctl --user show-environment >/dev/null 2>&1; then echo "manager=yes"; else echo "manager=no"; fi
if [ -e "/var/lib/systemd/linger/$login" ]; then echo "linger=yes"; else echo "linger=no"; fi
if [ -e /dev/vcio ]; then echo "firmware=yes"; else echo "firmware=no"; fi
if getent passwd edgeq >/dev/null 2>&1; then echo "user=yes"; else echo "user=no"; fi
echo "members=$(getent group edgeq 2>/dev/null | cut -d: -f4)"
echo "groups=$(id -Gn)"
echo "root=$root"
echo "owner=$(stat -c %U "$root" 2>/dev/null)"
if [ -f "$root/agent/current" ]; then echo "current=$(readlink "$root/agent/current")"; else echo current=; fi
echo "names=$(names_in "$root")"
echo "apps=$(names_in "$root/apps")"
echo "waiting=$(find "$root/jobs" -maxdepth 1 -name '*.json' 2>/dev/null | wc -l)"
own=$home/.local/share/edgeq
echo "own=$own"
echo "own_apps=$(names_in "$own/apps")"
echo "own_kb=$(du -sk "$own" 2>/dev/null | cut -f1)"
near=$root
while [ ! -d "$near" ]; do near=$(dirname "$near"); done
echo "free_kb=$(df -Pk "$near" | awk 'NR == 2 { print $4 }')"

manager=--$scope
while [ "$1" != -- ]; do
  for key in LoadState ActiveState UnitFileState NeedDaemonReload; do
    echo "unit:$1:$key=$(systemctl "$manager" show -p "$key" --value "$1" 2>/dev/null)"
  done
  shift
done
shift
while [ "$1" != -- ]; do
  file=$(in_home "$1")
  [ ! -f "$file" ] || echo "file:$1=$(base64 <"$file" | tr -d '\n')"
  shift
done
shift
for folder; do
  echo "folder:$folder=$(stat -c '%a %U %G' "$(in_home "$folder")" 2>/dev/null)"
done
