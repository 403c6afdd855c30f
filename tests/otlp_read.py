#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Reads a folder of captured OTLP bodies into plain dictionaries; as a program, prints them as JSON lines.

Decodes with modules that protoc makes from proto/ into a scratch folder.
"""
import glob
import importlib
import json
import os
import subprocess
import sys
import tempfile

HANDSHAKE = "tcp handshake"
PROTO = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "proto")


def load_messages():
    """The request classes by signal."""
    scratch = tempfile.TemporaryDirectory(prefix="ringspan-proto.")
    files = sorted(glob.glob(os.path.join(PROTO, "*.proto")))
    subprocess.run(["protoc", "-I" + PROTO, "--python_out=" + scratch.name] + files, check=True)
    sys.path.insert(0, scratch.name)
    requests = {"traces": "Trace", "metrics": "Metrics", "logs": "Logs"}
    messages = {}
    for name, word in requests.items():
        module = importlib.import_module(name + "_service_pb2")
        messages[name] = getattr(module, "Export%sServiceRequest" % word)
    sys.path.remove(scratch.name)
    return messages


def value_of(any_value):
    kind = any_value.WhichOneof("value")
    if kind is None:
        return None
    value = getattr(any_value, kind)
    if kind == "array_value":
        return [value_of(v) for v in value.values]
    if kind == "kvlist_value":
        return attributes_of(value.values)
    return value


def attributes_of(pairs):
    ret = {pair.key: value_of(pair.value) for pair in pairs}
    assert len(ret) == len(pairs), "an attribute key occurs twice"
    return ret


def bodies(folder, name):
    messages = load_messages() if not bodies.messages else bodies.messages
    bodies.messages = messages
    for path in sorted(glob.glob(os.path.join(folder, name + "-*.bin"))):
        message = messages[name]()
        with open(path, "rb") as body:
            message.ParseFromString(body.read())
        yield message


bodies.messages = None


def spans(folder):
    for body in bodies(folder, "traces"):
        for resource_spans in body.resource_spans:
            resource = attributes_of(resource_spans.resource.attributes)
            for scope_spans in resource_spans.scope_spans:
                for span in scope_spans.spans:
                    yield span_of(span, resource)


def flows(folder):
    """Spans without those that tell of a part of a flow's story only."""
    return (span for span in spans(folder) if span["name"] != HANDSHAKE)


def span_of(span, resource):
    return {
        "trace_id": span.trace_id.hex(),
        "span_id": span.span_id.hex(),
        "parent_span_id": span.parent_span_id.hex(),
        "trace_state": span.trace_state,
        "name": span.name,
        "kind": span.kind,
        "start": span.start_time_unix_nano,
        "end": span.end_time_unix_nano,
        "attributes": attributes_of(span.attributes),
        "status": span.status.code,
        "message": span.status.message,
        "events": [e.name for e in span.events],
        "event_attributes": [attributes_of(e.attributes) for e in span.events],
        "event_times": [e.time_unix_nano for e in span.events],
        "links": [link_of(link) for link in span.links],
        "resource": resource,
    }


def link_of(link):
    return {"trace_id": link.trace_id.hex(), "span_id": link.span_id.hex(), "flags": link.flags}


def metrics(folder):
    for body in bodies(folder, "metrics"):
        for resource_metrics in body.resource_metrics:
            resource = attributes_of(resource_metrics.resource.attributes)
            for scope_metrics in resource_metrics.scope_metrics:
                for metric in scope_metrics.metrics:
                    yield from points_of(metric, resource)


def exemplar_of(exemplar):
    return {
        "value": getattr(exemplar, exemplar.WhichOneof("value")),
        "time": exemplar.time_unix_nano,
        "trace_id": exemplar.trace_id.hex(),
        "span_id": exemplar.span_id.hex(),
    }


def points_of(metric, resource):
    kind = metric.WhichOneof("data")
    data = getattr(metric, kind)
    for point in data.data_points:
        ret = {
            "metric": metric.name,
            "unit": metric.unit,
            "kind": kind,
            "delta": getattr(data, "aggregation_temporality", 0) == 1,
            "monotonic": getattr(data, "is_monotonic", False),
            "start": point.start_time_unix_nano,
            "time": point.time_unix_nano,
            "attributes": attributes_of(point.attributes),
            "exemplars": [exemplar_of(e) for e in point.exemplars],
            "resource": resource,
        }
        if kind in ("sum", "gauge"):
            ret["value"] = getattr(point, point.WhichOneof("value"))
        else:
            ret["count"], ret["sum"] = point.count, point.sum
        if kind == "exponential_histogram":
            ret["offset"] = point.positive.offset
            ret["buckets"] = list(point.positive.bucket_counts)
            ret["zero"] = point.zero_count
        yield ret


def logs(folder):
    for body in bodies(folder, "logs"):
        for resource_logs in body.resource_logs:
            resource = attributes_of(resource_logs.resource.attributes)
            for scope_logs in resource_logs.scope_logs:
                for log in scope_logs.log_records:
                    yield log_of(log, resource)


def log_of(log, resource):
    return {
        "event": log.event_name,
        "body": value_of(log.body),
        "severity": log.severity_number,
        "severity_text": log.severity_text,
        "time": log.time_unix_nano,
        "observed": log.observed_time_unix_nano,
        "trace_id": log.trace_id.hex(),
        "span_id": log.span_id.hex(),
        "attributes": attributes_of(log.attributes),
        "resource": resource,
    }


def totals(folder, name, interface=None):
    """The last value of each series of a sum, by (direction, network type, transport)."""
    last = {}
    for point in metrics(folder):
        attributes = point["attributes"]
        if point["metric"] != name:
            continue
        if interface and attributes["network.interface.name"] != interface:
            continue
        key = (attributes["network.io.direction"], attributes.get("network.type"),
               attributes.get("network.transport"))
        assert point["value"] >= last.get(key, 0), "%s fell: %s" % (name, key)
        last[key] = point["value"]
    return last


def main():
    folder = sys.argv[1]
    for item in list(spans(folder)) + list(metrics(folder)) + list(logs(folder)):
        print(json.dumps(item))


if __name__ == "__main__":
    main()
