#!/bin/bash
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
# 1/100: what is kept is whole, is what the hash names, and says with which probability; counters exact.
. "$(dirname "$0")/lib.sh"
begin "$@"
need tshark tcpreplay protoc

made pcap make_capture.py many --flows 40000 --rounds 5
capture=$made_path
made json truth.py "$capture"
truth=$made_path
printf '%s\n' 000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f >"$dir/key"
chmod 600 "$dir/key"

ns_add in out
link_add_mute in va out vb
sink_start sink in
ringspan_start rs in --interface va --xdp-mode native --sample 1/100 --site-key "$dir/key" \
	--exporter otlp --otlp-endpoint "$sink_url"
replay out vb "$capture"
ringspan_stop rs
sink_stop sink
"$tests/check_sampling.py" "$truth" "$dir/sink" --site-key "$dir/key"
"$tests/check_counters.py" truth "$dir/sink" --interface va --direction receive --truth "$truth"
official sink
say "the kept are whole and as many as they should be"
