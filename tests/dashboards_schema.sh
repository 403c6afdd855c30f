#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Grafana's dashboards are of the types that Grafana itself publishes for them, and have no key that
# these do not know. The types are installed once into a cache, by npm.
set -euo pipefail
schema=13.2.3 typescript=5.9.3

skip() {
	echo "dashboards_schema: skipped: $*"
	exit 77
}

tests=$(cd "$(dirname "$0")" && pwd)
command -v npm >/dev/null || skip "npm is not installed"
/usr/bin/python3 -c 'import yaml' 2>/dev/null || skip "python3-yaml is not installed"
cache=${XDG_CACHE_HOME:-${HOME:-/tmp}/.cache}/ringspan-tests/grafana-schema-$schema-$typescript
if [ ! -d "$cache" ]; then
	new=$cache.$$
	trap 'rm -rf "$new"' EXIT
	mkdir -p "$new"
	npm install --prefix "$new" --ignore-scripts --no-audit --no-fund --loglevel=error \
		"@grafana/schema@$schema" "typescript@$typescript" >"$new/npm.log" 2>&1 ||
		skip "npm cannot install Grafana's types: $(tail -n 1 "$new/npm.log")"
	mv -T "$new" "$cache" 2>/dev/null || [ -d "$cache" ] # another run may have been faster
fi

work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
ln -s "$cache/node_modules" "$work/node_modules"
PYTHONDONTWRITEBYTECODE=1 /usr/bin/python3 "$tests/check_dashboards.py" --typescript "$work/dashboards.ts"
cd "$work"
node node_modules/typescript/bin/tsc --noEmit --strict --skipLibCheck --target es2022 --module esnext \
	--moduleResolution bundler dashboards.ts
echo "dashboards_schema: of the types of Grafana $schema"
