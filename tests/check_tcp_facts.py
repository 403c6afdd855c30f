#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""check_tcp_facts FACTS CAPTURE TRUTH: what tcp_facts printed of a capture, against tshark's analysis
and against what the ends know that they did.

Everything has to be right, with this reserve: where rows of overtaken segments follow each other, what
is remembered of the pieces jumped over may not suffice, in one direction of fifty, by one segment or
two, and in one of 250 by more; as many may have a round trip outside tshark's. tshark is not always right: of what is sent again soon after others it says that it was overtaken,
and of what was overtaken and then doubled as well. So where both differ the ends decide, but in nine
directions of ten all three agree.

Our round trip is that of the first segment of a timestamp's value. tshark's is that of the last one
that an acknowledgement covers: shorter by the time that the receiver waited for the second segment,
which with one overtaken is up to 2.5 ms here.
"""
import collections
import statistics
import subprocess
import sys

FIELDS = ('ip.src', 'ipv6.src', 'tcp.srcport', 'ip.dst', 'ipv6.dst', 'tcp.dstport',
          'tcp.analysis.retransmission', 'tcp.analysis.fast_retransmission',
          'tcp.analysis.spurious_retransmission', 'tcp.analysis.out_of_order',
          'tcp.analysis.zero_window', 'tcp.analysis.keep_alive', 'tcp.analysis.ack_rtt',
          'frame.number')


def told_by_tshark(path):
    command = ['tshark', '-r', path, '-T', 'fields'] + [o for f in FIELDS for o in ('-e', f)]
    text = subprocess.run(command, check=True, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          text=True).stdout
    told = collections.defaultdict(lambda: collections.Counter())
    times = collections.defaultdict(list)
    for line in text.splitlines():
        p = dict(zip(FIELDS, line.split('\t')))
        way = (p['ip.src'] or p['ipv6.src'], p['tcp.srcport'],
               p['ip.dst'] or p['ipv6.dst'], p['tcp.dstport'])
        flag = {f.rpartition('.')[2]: bool(p[f]) for f in FIELDS if 'analysis' in f}
        t = told[way]
        t['packets'] += 1
        t['again'] += (flag['retransmission'] or flag['fast_retransmission'] or
                       flag['spurious_retransmission'])
        t['late'] += flag['out_of_order']
        t['closed'] += flag['zero_window']
        t['alive'] += flag['keep_alive']
        if flag['ack_rtt']:  # of what the other end sent
            times[way[2:] + way[:2]].append(float(p['tcp.analysis.ack_rtt']) * 1e6)
    return told, times


def known_by_the_ends(path):
    with open(path, encoding='ascii') as truth:
        lines = [line.split() for line in truth]
    return {tuple(w[:4]): {'again': int(w[4]), 'late': int(w[5])} for w in lines}


def main():
    told, times = told_by_tshark(sys.argv[2])
    truth = known_by_the_ends(sys.argv[3])
    sums, bad, seen, loose, differs = collections.Counter(), [], set(), set(), set()
    far = {}
    with open(sys.argv[1], encoding='ascii') as facts:
        for line in facts:
            words = line.split()
            way, numbers = tuple(words[:4]), [int(w) for w in words[4:]]
            ours = dict(zip(('packets', 'again', 'late', 'closed'), numbers))
            seen.add(way)
            for name, value in ours.items():
                sums[name] += value
                right = truth[way].get(name, told[way][name])
                if value != right and name in truth[way] and abs(value - right) <= 2:
                    loose.add(way)
                elif value != right:
                    (bad.append if name == 'packets' else far.setdefault(way, []).append)(
                        f'{" ".join(way)}: {name} {value}, is {right}, tshark {told[way][name]}')
                elif value != told[way][name]:
                    differs.add(way)
            sums['alive'] += told[way]['alive']
            if numbers[4]:
                sums['timed'] += 1
                low, high = min(times[way], default=0), max(times[way], default=0)
                if not low - 2600 <= numbers[4] <= high + 2600:
                    far.setdefault(way, []).append(
                        f'{" ".join(way)}: round trip {numbers[4]} us, '
                        f'tshark {low:.0f} to {high:.0f}')
    missing = set(told) - seen
    print(' '.join(f'{k}={v}' for k, v in sums.items()), f'directions={len(seen)}',
          f'reserve={len(loose)} far={len(far)} tshark_wrong={len(differs)}')
    if 250 * len(far) > len(seen):
        bad += [line for lines in far.values() for line in lines]
    if 50 * len(loose) > len(seen):
        bad.append(f'{len(loose)} directions of {len(seen)} are not exact')
    if 10 * len(differs) > len(seen):
        bad.append(f'tshark sees {len(differs)} directions of {len(seen)} in another way')
    if not all(sums[name] for name in ('again', 'late', 'closed', 'alive', 'timed')):
        bad.append('something did not happen at all: no test')
    for line in sorted(bad):
        print(line)
    sys.exit(1 if bad or missing or not seen else 0)


main()
