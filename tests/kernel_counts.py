#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Prints what went through this network namespace by the kernel's own protocol counters.

  kernel_counts.py sent       TCP segments sent, those over loopback taken off
  kernel_counts.py exchange   segments received and sent, frame bytes received and sent; for a namespace
                              with nothing but TCP over IPv4 over Ethernet, unmerged, none over loopback
"""
import sys

ETHERNET = 14


def table(path, prefix):
    """A pair of lines, names and values, as /proc/net/snmp and netstat have them."""
    with open(path) as lines:
        names, values = [line.split()[1:] for line in lines if line.startswith(prefix + ":")][:2]
    return dict(zip(names, map(int, values)))


def loopback_packets():
    with open("/proc/net/dev") as lines:
        for line in lines:
            name, _, rest = line.partition(":")
            if name.strip() == "lo":
                return int(rest.split()[9])
    return 0


def main():
    tcp, ip = table("/proc/net/snmp", "Tcp"), table("/proc/net/netstat", "IpExt")
    if sys.argv[1] == "sent":
        # as the MIB has it, the first does not contain the second
        print(tcp["OutSegs"] + tcp["RetransSegs"] - loopback_packets())
        return
    if loopback_packets():
        sys.exit("kernel_counts: loopback was used here")
    print(tcp["InSegs"], tcp["OutSegs"], ip["InOctets"] + ETHERNET * tcp["InSegs"],
          ip["OutOctets"] + ETHERNET * tcp["OutSegs"])


if __name__ == "__main__":
    main()
