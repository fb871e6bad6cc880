#!/usr/bin/env bash
# Installs what building and testing need beyond Go, Node and Python. As root on Debian it installs
# packages; otherwise it says which are missing. All else goes into this folder (.cache, test/sdk).
# Each step leaves a stamp of its inputs, so that a second run takes no time.
set -euo pipefail
cd "$(dirname "$0")/.."
root=$PWD
stamps=$root/.cache/stamps
mkdir -p "$stamps" .cache/bin

say() { echo "setup: $*" >&2; }
die() { say "$*"; exit 1; }

# fresh NAME FILE…: the step NAME ran with these very files.
fresh() {
	local name=$1
	shift
	[ -f "$stamps/$name" ] && [ "$(cat "$@" | sha256sum)" = "$(cat "$stamps/$name")" ]
}
stamp() {
	local name=$1
	shift
	cat "$@" | sha256sum >"$stamps/$name"
}

# at_least VERSION WANTED: the first is not older.
at_least() { [ "$(printf '%s\n%s\n' "$2" "$1" | sort -V | head -n1)" = "$2" ]; }

need_languages() {
	command -v go >/dev/null || die "Go 1.26 or newer is needed: https://go.dev/dl/"
	local v
	v=$(go env GOVERSION)
	at_least "${v#go}" 1.26 || die "Go 1.26 or newer is needed, this is $v"
	command -v node >/dev/null && command -v npm >/dev/null || die "Node.js with npm is needed: https://nodejs.org/"
	command -v python3 >/dev/null || die "Python 3.10 or newer is needed: https://www.python.org/"
	at_least "$(python3 -c 'import platform; print(platform.python_version())')" 3.10 ||
		die "Python 3.10 or newer is needed, this is $(python3 --version)"
}

# need_packages: the C compiler is for the race detector, nginx for the yardstick of `make bench`, Chromium and a
# font with Chinese for the tests of the dashboard.
need_packages() {
	local missing=()
	command -v gcc >/dev/null || missing+=(gcc libc6-dev)
	command -v git >/dev/null || missing+=(git)
	command -v chromium >/dev/null || missing+=(chromium)
	fc-list :lang=zh-cn 2>/dev/null | grep -q . || missing+=(fonts-noto-cjk)
	command -v nginx >/dev/null || [ -x /usr/sbin/nginx ] || missing+=(nginx-light)
	python3 -c 'import ensurepip, venv' 2>/dev/null || missing+=(python3-venv)
	[ ${#missing[@]} -gt 0 ] || return 0
	if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
		say "installing ${missing[*]}"
		# An installed nginx must not be started: only benches run it, with their own configuration.
		apt-get update -qq
		RUNLEVEL=1 DEBIAN_FRONTEND=noninteractive apt-get install -qq -y --no-install-recommends "${missing[@]}" >/dev/null
	else
		die "please install: ${missing[*]}   (Debian: sudo apt-get install ${missing[*]})"
	fi
}

need_tools() {
	fresh tools tools/go.mod tools/go.sum && [ -x .cache/bin/golangci-lint ] && [ -x .cache/bin/gotestsum ] && return
	say "building the pinned tools; the first time takes minutes"
	(cd tools && GOBIN=$root/.cache/bin go install tool)
	stamp tools tools/go.mod tools/go.sum
}

# The newest SDKs want a newer Node.js than many machines have. On Linux the one from the lock file in
# js is used; elsewhere the machine's own must do. Nothing of what is installed runs here: the programs that
# some packages bring come whole, in packages of their own.
need_js() {
	local name dir
	for name in js clients worker; do
		dir=test/sdk/$name
		fresh $name $dir/package.json $dir/package-lock.json && [ -d $dir/node_modules ] && continue
		say "installing what $dir needs"
		(cd $dir && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
		stamp $name $dir/package.json $dir/package-lock.json
	done
}

# need_web: what the dashboard is built from. Vite's own parts are programs that come whole, so no script runs here.
need_web() {
	fresh web web/package.json web/package-lock.json && [ -d web/node_modules ] && return
	say "installing what web needs"
	(cd web && npm ci --ignore-scripts --no-audit --no-fund --loglevel=error)
	stamp web web/package.json web/package-lock.json
}

need_py() {
	local dir=test/sdk/python
	fresh py $dir/requirements.txt && [ -x $dir/.venv/bin/python ] && return
	say "installing the Python SDKs"
	rm -rf $dir/.venv
	python3 -m venv $dir/.venv
	$dir/.venv/bin/python -m pip install --quiet --disable-pip-version-check --requirement $dir/requirements.txt
	stamp py $dir/requirements.txt
}

need_modules() {
	fresh modules go.sum bench/go.mod scripts/go.mod test/go.sum && return
	for m in . bench scripts test; do (cd $m && go mod download); done
	stamp modules go.sum bench/go.mod scripts/go.mod test/go.sum
}

if [ "${1:-}" = web ]; then # what a build alone needs
	need_languages
	need_web
	exit
fi
need_languages
need_packages
need_web
need_modules
need_tools
need_js
need_py
