#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# run - measures everything and prints it as tables; what it takes and where results go: run.sh --help.
set -euo pipefail

bench=$(cd "$(dirname "$0")" && pwd)
case " $* " in
*" -h "* | *" --help "* | *" --list "*) ;;
*)
	# without root or on another system it is for the user to see to them: what is missing is said
	if [ "$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
		. "$bench/../compose/packages.sh"
		export PATH=$PATH:/usr/sbin:/sbin
		packages_install "${packages_build[@]}" "${packages_demo[@]}" "${packages_bench[@]}"
	fi
	;;
esac
exec /usr/bin/python3 -B "$bench/run.py" "$@"
