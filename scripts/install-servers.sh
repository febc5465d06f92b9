#!/bin/sh
# Installs what the tests start, on Debian and Ubuntu: PostgreSQL and MariaDB, with their clients, the client of SQLite, zsh, fish, bash-completion, man,
# strace, and the C compiler that the race detector needs.
# It does nothing when they are there. The tests run private servers of their own; no server of the system is started.
set -eu

# have PROGRAM: whether it is on the PATH, or where Debian puts what is not.
have() {
	command -v "$1" >/dev/null 2>&1 && return
	for file in /usr/lib/postgresql/*/bin/"$1" /usr/sbin/"$1"; do
		[ -x "$file" ] && return
	done
	return 1
}

packages=
for program in initdb postgres psql pg_dump pg_basebackup pgbench; do
	have "$program" || packages="postgresql postgresql-contrib postgresql-client"
done
for program in mariadbd mariadb-install-db mariadb mariadb-dump; do
	have "$program" || { packages="$packages mariadb-server mariadb-client"; break; }
done
# The client of SQLite, the shells whose completion is tested, and what tells the order of writing and syncing.
for program in sqlite3 zsh fish strace; do
	have "$program" || packages="$packages $program"
done
[ -r /usr/share/bash-completion/bash_completion ] || packages="$packages bash-completion"
have man || packages="$packages man-db"
have gcc || packages="$packages gcc libc6-dev"
[ -n "$packages" ] || exit 0

fail() {
	echo "install-servers: $1" >&2
	echo "install-servers: missing: $packages" >&2
	exit 1
}
command -v apt-get >/dev/null 2>&1 || fail "no apt-get here: install PostgreSQL 15 or newer and MariaDB 10.11 or newer yourself"
[ "$(id -u)" -eq 0 ] || fail "must run as root: try sudo $0"

# Debian starts a server when its package is installed, unless this file forbids it. It is put back as it was.
policy=/usr/sbin/policy-rc.d
saved=$policy.drover-saved
placed=
restore() {
	if [ -e "$saved" ]; then
		mv "$saved" "$policy"
	elif [ -n "$placed" ]; then
		rm -f "$policy"
	fi
}
trap restore EXIT
trap 'exit 130' INT
trap 'exit 143' TERM
[ ! -e "$policy" ] || mv "$policy" "$saved"
placed=yes
printf '#!/bin/sh\nexit 101\n' >"$policy"
chmod 755 "$policy"

export DEBIAN_FRONTEND=noninteractive
# Another apt may be at work: wait for it.
apt="apt-get -q -o DPkg::Lock::Timeout=600"
$apt update
# shellcheck disable=SC2086 # a list of packages
$apt install -y --no-install-recommends $packages
