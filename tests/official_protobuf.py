# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Judges OTLP request bodies by the official definitions (packages opentelemetry-proto, protobuf).

official_protobuf.py DIR...          every DIR/{traces,metrics,logs}-*.bin is one request body
official_protobuf.py --same DIR DIR  the same, and files of one name are equal messages

Each body must decode, hold no field that the definitions do not know, at any depth, not be empty,
and keep the rules that decoding does not check. Prints the counts; the first fault ends it with 1.
"""
import pathlib
import sys

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.unknown_fields import UnknownFieldSet
from opentelemetry.proto.collector.logs.v1.logs_service_pb2 import ExportLogsServiceRequest
from opentelemetry.proto.collector.metrics.v1.metrics_service_pb2 import ExportMetricsServiceRequest
from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import ExportTraceServiceRequest

REQUESTS = {
    "traces": ExportTraceServiceRequest,
    "metrics": ExportMetricsServiceRequest,
    "logs": ExportLogsServiceRequest,
}
POINTS = {"NumberDataPoint", "HistogramDataPoint", "ExponentialHistogramDataPoint"}
ITEMS = {"Span", "LogRecord"} | POINTS
MAY_HAVE_NO_IDS = {"LogRecord", "Exemplar"}
NAMED = {"Span", "Event", "Metric"}


class Fault(Exception):
    pass


def check_rules(message, name):
    """What the comments of the definitions demand of one message."""
    fields = message.DESCRIPTOR.fields_by_name
    for field, size in (("trace_id", 16), ("span_id", 8), ("parent_span_id", 8)):
        if field not in fields:
            continue
        value = getattr(message, field)
        if not value and (field == "parent_span_id" or name in MAY_HAVE_NO_IDS):
            continue
        if len(value) != size or not any(value):
            raise Fault(f"{name}.{field} is {value.hex() or 'empty'}")
    if name in NAMED and not message.name:
        raise Fault(f"{name} without a name")
    if name == "Span" and message.end_time_unix_nano < message.start_time_unix_nano:
        raise Fault(f"Span {message.name} ends before its start")
    if name == "Metric" and message.WhichOneof("data") is None:
        raise Fault(f"Metric {message.name} without data")
    if "aggregation_temporality" in fields and message.aggregation_temporality == 0:
        raise Fault(f"{name} without a temporality")
    if name in POINTS and message.time_unix_nano == 0:
        raise Fault(f"{name} without a time")
    if "attributes" in fields:
        keys = [pair.key for pair in message.attributes]
        if len(set(keys)) != len(keys) or "" in keys:
            raise Fault(f"{name}: attribute keys repeated or empty: {keys}")


def walk(message):
    """Checks a message and all inside it; returns the items found."""
    name = message.DESCRIPTOR.name
    unknown = [field.field_number for field in UnknownFieldSet(message)]
    if unknown:
        raise Fault(f"{message.DESCRIPTOR.full_name} has unknown fields {unknown}")
    check_rules(message, name)
    items = name in ITEMS
    for field, value in message.ListFields():
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            inner = [value] if hasattr(value, "DESCRIPTOR") else value
            items += sum(walk(one) for one in inner)
    return items


def read(path):
    signal = path.name.split("-")[0]
    request = REQUESTS[signal]()
    request.ParseFromString(path.read_bytes())
    items = walk(request)
    if items == 0:
        raise Fault("an empty request")
    return signal, request, items


def read_all(folder):
    found = {}
    for path in sorted(pathlib.Path(folder).iterdir()):
        if path.suffix != ".bin" or path.name.split("-")[0] not in REQUESTS:
            continue
        try:
            found[path.name] = read(path)
        except Exception as fault:
            raise Fault(f"{path}: {fault}") from fault
    if not found:
        raise Fault(f"{folder}: no request bodies")
    return found


def main(args):
    same = args[:1] == ["--same"]
    folders = args[1:] if same else args
    if not folders or (same and len(folders) != 2):
        raise Fault(__doc__)
    found = [read_all(folder) for folder in folders]
    for folder, requests in zip(folders, found):
        for signal in REQUESTS:
            items = [count for of, _, count in requests.values() if of == signal]
            print(f"{folder}: {signal}: {len(items)} requests, {sum(items)} items")
    if same:
        if found[0].keys() != found[1].keys():
            raise Fault(f"not the same files: {found[0].keys() ^ found[1].keys()}")
        for name in found[0]:
            if found[0][name][1] != found[1][name][1]:
                raise Fault(f"{name}: the messages differ")
        print(f"all {len(found[0])} messages are equal")


if __name__ == "__main__":
    try:
        main(sys.argv[1:])
    except Fault as fault:
        sys.exit(f"official_protobuf: {fault}")
