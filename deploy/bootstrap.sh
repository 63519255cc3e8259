# First words with a device, sent over the login and run by `sh -s`: what is there before anything of edgeq is.
# usage: sh -s -- AGENT_FILE ROOT PYTHON     (ROOT and PYTHON may be empty)
# Prints key=value lines; changes nothing.
agent=$1 root=$2 python=$3
if [ -z "$python" ]; then
  for name in python3 python3.13 python3.12 python3.11 python3.10 python3.9; do
    found=$(command -v "$name" 2>/dev/null) || continue
    version=$("$found" -I -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null) || continue
    case $version in 3.[0-8].*) [ -n "$python" ] || { python=$found; python_version=$version; }; continue ;; esac
    python=$found python_version=$version
    break
  done
else
  python_version=$("$python" -I -c 'import sys; print("%d.%d.%d" % sys.version_info[:3])' 2>/dev/null)
fi
if [ -z "$root" ]; then
  if [ -d /var/lib/edgeq ] && [ -w /var/lib/edgeq ]; then root=/var/lib/edgeq; else root="${HOME:-/root}/.local/share/edgeq"; fi
fi
case $root in "~/"*) root="${HOME:-/root}/${root#"~/"}" ;; esac
echo "user=$(id -un 2>/dev/null || id -u)"
echo "machine=$(uname -m)"
echo "python=$python"
echo "python_version=$python_version"
echo "root=$root"
if [ -f "$root/agent/$agent" ]; then echo "agent=yes"; else echo "agent=no"; fi
if [ -d "$root/agent" ]; then echo "known=yes"; else echo "known=no"; fi
