#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What ringspan serves at /metrics, compared with what it sent by OTLP; and how it treats clients.

  check_pull.py fetch BASE_URL TEXT OPENMETRICS   both formats, of the same moment
  check_pull.py equal SINK TEXT OPENMETRICS README
  check_pull.py traces SINK OPENMETRICS           exemplars name spans that arrived
  check_pull.py manners HOST PORT
"""
import concurrent.futures
import re
import socket
import sys
import time
import urllib.request

import otlp_read

OPEN = "application/openmetrics-text"
LABEL = re.compile(r'([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\.)*)"(,|$)')
CPU = "ringspan_process_cpu_time_seconds_total"


def demand(what, is_so, *more):
    if not is_so:
        sys.exit("%s: %s" % (what, " ".join(str(m) for m in more)[:500]))


def fetch(url, accept=None):
    request = urllib.request.Request(url, headers={"Accept": accept} if accept else {})
    with urllib.request.urlopen(request, timeout=20) as answer:
        return answer.headers["Content-Type"], answer.read().decode()


# ---- a reader of both formats: {(name, labels): value}, exemplars, families ----

def labels_of(text):
    ret, at = [], 0
    while at < len(text):
        match = LABEL.match(text, at)
        demand("labels", match, text)
        value = match.group(2).replace("\\n", "\n").replace('\\"', '"').replace("\\\\", "\\")
        ret.append((match.group(1), value))
        at = match.end()
    demand("a label twice", len(dict(ret)) == len(ret), text)
    return tuple(sorted(ret))


def read(path):
    series, exemplars, types, family = {}, {}, {}, None
    with open(path, encoding="utf-8") as lines:
        text = lines.read()
    demand("ends with a newline", text.endswith("\n"), path)
    for line in text[:-1].split("\n"):
        if line == "# EOF":
            continue
        if line.startswith("# "):
            what, name = line.split(" ")[1:3]
            if name != family:
                demand("family in two places", name not in types, name)
                family, types[name] = name, None
            if what == "TYPE":
                types[name] = line.split(" ")[3]
            continue
        sample, _, exemplar = line.partition(" # ")
        match = re.fullmatch(r"([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)", sample)
        demand("a line", match, line)
        demand("a sample in its family", match.group(1).startswith(family), line)
        key = match.group(1), labels_of(match.group(2) or "")
        demand("a series once", key not in series, line)
        series[key] = float(match.group(3))
        if exemplar:
            match = re.fullmatch(r"\{(.*)\} (\S+) (\S+)", exemplar)
            exemplars[key] = dict(labels_of(match.group(1))), float(match.group(2))
    return series, exemplars, types


# ---- the same from OTLP, by the names that README.md gives ----

def names_of(readme):
    ret = {}
    with open(readme, encoding="utf-8") as lines:
        rows = [line.split("|") for line in lines if re.match(r"\| `(xdp|ringspan|otel)\.", line)]
    for row in rows:
        ours, theirs = (re.findall(r"`([^`]+)`", cell) for cell in row[1:3])
        if "{" not in row[1] and theirs and len(row) == 5:
            ours = [name for name in ours if re.match(r"(xdp|ringspan|otel)\.", name)]
            demand("README names as many", len(ours) == len(theirs), ours, theirs)
            ret.update(zip(ours, theirs))
    return ret


def name_of(point, names):
    if point["metric"] in names:
        return names[point["metric"]]
    demand("a metric that README.md has", point["metric"].startswith("otel.sdk."), point["metric"])
    return point["metric"].replace(".", "_") + ("_total" if point["monotonic"] else "")


def text_of(value):
    return str(value).lower() if isinstance(value, bool) else str(value)


def expected(points, names):
    ret, sums, counts = {}, {}, {}
    for point in points:
        name = name_of(point, names)
        labels = tuple(sorted((k.replace(".", "_"), text_of(v))
                              for k, v in point["attributes"].items()))
        if point["kind"] != "exponential_histogram":
            ret[name, labels] = float(point["value"])
            continue
        sums[name, labels] = point["sum"]
        counts[name, labels] = point
    return ret, sums, counts


def check_histogram(name, labels, point, series):
    demand("sum of " + name, series.get((name + "_sum", labels)) == point["sum"])
    demand("count of " + name, series.get((name + "_count", labels)) == point["count"])
    bounds = {}
    for (other, with_le), value in series.items():
        rest = dict(with_le)
        le = rest.pop("le", None)
        if other == name + "_bucket" and tuple(sorted(rest.items())) == labels:
            bounds[float(le)] = value
    demand("bounds of " + name, bounds.get(float("inf")) == point["count"], bounds)
    for bound, value in bounds.items():
        so_far = point["zero"] + sum(n for i, n in enumerate(point["buckets"])
                                     if 2.0 ** (point["offset"] + i + 1) <= bound)
        demand("bucket of " + name, value == so_far, labels, bound, value, so_far)
    highest = 2.0 ** (point["offset"] + len(point["buckets"]))
    demand("highest bound", highest in bounds or not point["buckets"], name, highest)


def check_equal(sink, text, openmetrics, readme):
    series, exemplars, types = read(text)
    opened, _, open_types = read(openmetrics)
    demand("no exemplars in the text format", not exemplars)
    plain = {key: v for key, v in opened.items() if not key[0].endswith("_created")}
    demand("both formats have the same", plain == series,
           set(plain.items()) ^ set(series.items()))
    for name, kind in open_types.items():
        shown = {"counter": name + "_total", "info": name + "_info"}.get(kind, name)
        demand("the same type", types.get(shown) == kind.replace("info", "gauge"), name, kind)
    moments = {}
    for point in otlp_read.metrics(sink):
        moments.setdefault(point["time"], []).append(point)
    names = names_of(readme)
    cpu = next(v for (name, _), v in series.items() if name == CPU)
    for points in moments.values():
        values, _, histograms = expected(points, names)
        if values.get((CPU, ())) == cpu:
            break
    else:
        sys.exit("no OTLP request of the moment of the text: %s s of CPU" % cpu)
    for key, value in values.items():
        demand("the same value", series.get(key) == value, key, series.get(key), value)
    for (name, labels), point in histograms.items():
        check_histogram(name, labels, point, series)
    for point in points:
        key = name_of(point, names).replace("_total", "") + "_created"
        labels = tuple(sorted((k.replace(".", "_"), text_of(v))
                              for k, v in point["attributes"].items()))
        if point["monotonic"]:
            demand("start of " + key, abs(opened[key, labels] - point["start"] / 1e9) < 1e-5)
    known = set(values)
    for name, labels in series:
        base = re.sub("_(bucket|sum|count)$", "", name)
        rest = tuple(pair for pair in labels if pair[0] != "le")
        demand("nothing but that", (name, labels) in known or (base, rest) in histograms or
               name == "target_info", name, labels)
    demand("much of it", len(series) > 100, len(series))
    info = dict(next(labels for name, labels in series if name == "target_info"))
    resource = {k.replace(".", "_"): v for k, v in points[0]["resource"].items()}
    demand("the resource", info == resource, info, resource)


def check_traces(sink, openmetrics):
    _, exemplars, _ = read(openmetrics)
    spans = {(s["trace_id"], s["span_id"]) for s in otlp_read.spans(sink)}
    demand("exemplars", exemplars)
    kinds = set()
    for (name, labels), (ids, value) in exemplars.items():
        kinds.add(name)
        demand("its span arrived", (ids["trace_id"], ids["span_id"]) in spans, name, labels, ids)
        demand("its labels", set(ids) == {"trace_id", "span_id"}, ids)
        demand("a value", value > 0, value)
        le = float(dict(labels).get("le", "inf"))
        demand("in its bucket", not name.endswith("_bucket") or le / 2 < value <= le, labels, value)
    demand("on all that have them", kinds == {"xdp_packets_total", "xdp_bytes_total",
                                              "xdp_packet_size_bytes_bucket"}, kinds)


# ---- manners ----

def talk(where, data, wants_end=True):
    with socket.create_connection(where, timeout=20) as s:
        s.sendall(data)
        ret = b""
        while wants_end or b"\r\n\r\n" not in ret:
            more = s.recv(65536)
            if not more:
                break
            ret += more
    return ret.decode()


def request(line, *fields):
    return ("\r\n".join([line, "Host: h"] + list(fields)) + "\r\n\r\n").encode()


def check_answers(where):
    closes = "Connection: close"
    head = talk(where, request("HEAD /metrics HTTP/1.1", closes))
    whole = talk(where, request("GET /metrics HTTP/1.1", closes))
    length = int(re.search(r"Content-Length: (\d+)", whole).group(1))
    demand("HEAD has no body", head.endswith("\r\n\r\n"), head)
    demand("HEAD tells the length", re.search(r"Content-Length: [1-9]\d{3}", head), head)
    demand("a whole body", len(whole.split("\r\n\r\n", 1)[1].encode()) == length, length)
    for data, wants in (
            (request("POST /metrics HTTP/1.1", "Content-Length: 3") + b"abc", "405.*Allow: GET, HEAD"),
            (request("DELETE / HTTP/1.1", closes), "405"),
            (request("GET /nothing HTTP/1.1", closes), "404.*there are /metrics"),
            (request("GET /x%41 HTTP/1.1", closes), "404"),
            (request("GET / HTTP/1.1", closes), "200.*/metrics"),
            (request("GET /metrics HTTP/3.0"), "505"),
            (b"\x16\x03\x01\x02\x00\x01\n\n", "400"),
            (b"GET / HTTP/1.1\r\nX: " + b"x" * 9000, "431"),
            (request("GET /metrics HTTP/1.1", closes, "Accept: %s" % OPEN),
             "200.*openmetrics-text; version=1.0.0.*# EOF\n$"),
            (request("GET /healthz HTTP/1.1", closes), '200.*"state":"ready","interfaces":'),
            (request("GET /readyz HTTP/1.0"), "200")):
        answer = talk(where, data)
        demand("answer to %s" % data[:40], re.match("HTTP/1.1 " + wants, answer, re.S), answer)
    several = request("GET /readyz HTTP/1.1") * 3 + request("GET /none HTTP/1.1", closes)
    demand("one answer each, in order",
           re.findall(r"HTTP/1.1 (\d+)", talk(where, several)) == ["200"] * 3 + ["404"])


def check_patience(where):
    """Those who say half of it, and those who do not listen, hold nobody up."""
    deaf = socket.create_connection(where, timeout=20)
    deaf.setblocking(False)
    try:
        while True:  # until neither end takes more
            deaf.send(request("GET /metrics HTTP/1.1") * 50)
    except BlockingIOError:
        pass
    begun = time.monotonic()
    slow = [socket.create_connection(where, timeout=20) for _ in range(80)]
    for s in slow:
        s.sendall(b"GET /metrics HTTP/1.1\r\n")
    with concurrent.futures.ThreadPoolExecutor(100) as pool:
        url = "http://%s:%d/metrics" % where
        answers = list(pool.map(lambda _: fetch(url, OPEN)[1], range(100)))
    demand("100 at the same time", all(a.endswith("# EOF\n") for a in answers))
    demand("soon", time.monotonic() - begun < 15, time.monotonic() - begun)
    for s in slow[:10]:
        answer = s.recv(1000).decode()
        demand("their time is over", answer.startswith("HTTP/1.1 408"), answer)
    for s in slow + [deaf]:
        s.close()


def main():
    what, args = sys.argv[1], sys.argv[2:]
    if what == "fetch":
        for _ in range(20):
            kind, text = fetch(args[0] + "/metrics")
            open_kind, opened = fetch(args[0] + "/metrics", OPEN)
            if re.search(CPU + " .*", text).group() == re.search(CPU + " .*", opened).group():
                break
        demand("formats", (kind, open_kind) ==
               ("text/plain; version=0.0.4; charset=utf-8", OPEN + "; version=1.0.0; charset=utf-8"))
        for path, body in zip(args[1:], (text, opened)):
            with open(path, "w", encoding="utf-8") as out:
                out.write(body)
    elif what == "equal":
        check_equal(*args)
    elif what == "traces":
        check_traces(*args)
    else:
        where = args[0], int(args[1])
        check_answers(where)
        check_patience(where)


if __name__ == "__main__":
    main()
