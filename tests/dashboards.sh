#!/bin/sh
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# Grafana's dashboards hold together, and use only metrics that the README names.
set -eu

export PYTHONDONTWRITEBYTECODE=1
/usr/bin/python3 -c 'import yaml' 2>/dev/null || {
	echo "dashboards: skipped: python3-yaml is not installed (tests/run.sh installs it)"
	exit 77
}
exec /usr/bin/python3 "$(dirname "$0")/check_dashboards.py"
