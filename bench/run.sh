#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# run - measures everything and prints it as tables; what it takes and where results go: run.sh --help.
exec /usr/bin/python3 -B "$(dirname "$0")/run.py" "$@"
