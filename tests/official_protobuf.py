# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Judges OTLP request bodies by the official definitions (packages opentelemetry-proto, protobuf).

official_protobuf.py DIR...          every DIR/{traces,metrics,logs}-*.bin is one request body
official_protobuf.py --same DIR DIR  the same, and files of one name are equal messages
official_protobuf.py --make DIR      writes such files, as another encoder makes them: every kind of
                                     metric, several resources and scopes, unknown fields
official_protobuf.py --pieces DIR PIECES LIMIT
                                     the files PIECES/NAME.0.bin, NAME.1.bin ... are DIR/NAME.bin
                                     split into pieces of at most LIMIT bytes

Of the first two, each body must decode, hold no field that the definitions do not know, at any depth, not be empty,
and keep the rules that decoding does not check. Prints the counts; the first fault ends it with 1.
"""
import pathlib
import random
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


def unknown_field(number):
    """A field that no definition knows: a varint, 8 bytes, a text, 4 bytes, or a group."""
    def varint(value):
        out = b""
        while value > 0x7f:
            out, value = out + bytes([value & 0x7f | 0x80]), value >> 7
        return out + bytes([value])

    kind = random.choice([0, 1, 2, 3, 5])
    body = {0: varint(random.getrandbits(64)), 1: b"8 bytes!", 2: b"\x04text",
            3: varint(7 << 3) + b"\x05" + varint(number << 3 | 4), 5: b"4444"}[kind]
    return varint(number << 3 | kind) + body


def is_repeated(field):
    new = getattr(field, "is_repeated", None)
    return field.label == FieldDescriptor.LABEL_REPEATED if new is None else new


def fill(message, depth=0):
    """Sets any of a message's fields, as deep as they go."""
    for field in message.DESCRIPTOR.fields:
        inner = depth + 1
        if field.type == FieldDescriptor.TYPE_MESSAGE:
            if inner > 9 or random.random() < 0.2:
                continue
            if is_repeated(field):
                for _ in range(random.randrange(5 if depth < 5 else 3)):
                    fill(getattr(message, field.name).add(), inner)
            else:
                getattr(message, field.name).SetInParent()
                fill(getattr(message, field.name), inner)
            continue
        values = {FieldDescriptor.CPPTYPE_STRING: b"bytes", FieldDescriptor.CPPTYPE_BOOL: True,
                  FieldDescriptor.CPPTYPE_ENUM: 1, FieldDescriptor.CPPTYPE_DOUBLE: 0.5}
        value = values.get(field.cpp_type, random.randrange(100))
        if field.type == FieldDescriptor.TYPE_STRING:
            value = "text é " * random.randrange(4)
        if is_repeated(field):
            getattr(message, field.name).extend([value] * random.randrange(4))
        elif random.random() < 0.7:
            setattr(message, field.name, value)
    if depth and random.random() < 0.3:
        message.MergeFromString(unknown_field(random.choice([100, 1000, 200000])))


def make(folder):
    random.seed(11)
    pathlib.Path(folder).mkdir(exist_ok=True)
    for number in range(60):
        signal = list(REQUESTS)[number % 3]
        request = REQUESTS[signal]()
        while not list(leaves(request)):
            request.Clear()
            fill(request)
        (pathlib.Path(folder) / f"{signal}-{number}.bin").write_bytes(request.SerializeToString())


def without(message, field):
    """The message's bytes but for one of its fields."""
    copy = type(message)()
    copy.CopyFrom(message)
    copy.ClearField(field)
    return copy.SerializeToString(deterministic=True)


def leaves(request):
    """Each item with all that stands around it, as bytes."""
    names = {"Traces": ("resource_spans", "scope_spans", "spans"),
             "Metrics": ("resource_metrics", "scope_metrics", "metrics"),
             "Logs": ("resource_logs", "scope_logs", "log_records")}
    signal = request.DESCRIPTOR.name.removeprefix("Export").removesuffix("ServiceRequest")
    resources, scopes, items = names["Traces" if signal == "Trace" else signal]
    for resource in getattr(request, resources):
        for scope in getattr(resource, scopes):
            around = (without(resource, scopes), without(scope, items))
            for item in getattr(scope, items):
                kind = item.WhichOneof("data") if items == "metrics" else None
                if items != "metrics":
                    yield around + (item.SerializeToString(deterministic=True),)
                    continue
                data = getattr(item, kind) if kind else None
                for point in data.data_points if data else ():
                    yield around + (without(item, kind), kind, without(data, "data_points"),
                                    point.SerializeToString(deterministic=True))


def check_pieces(folder, pieces, limit):
    count = split = items = 0
    for path in sorted(pathlib.Path(folder).glob("*.bin")):
        parse = REQUESTS[path.name.split("-")[0]].FromString
        expected, found = list(leaves(parse(path.read_bytes()))), []
        for number in range(len(list(pathlib.Path(pieces).glob(f"{path.stem}.*.bin")))):
            piece = (pathlib.Path(pieces) / f"{path.stem}.{number}.bin").read_bytes()
            if len(piece) > limit:
                raise Fault(f"{path.stem}.{number}: {len(piece)} bytes")
            inside = list(leaves(parse(piece)))
            if not inside:
                raise Fault(f"{path.stem}.{number}: an empty request")
            found += inside
            count += 1
        if found != expected:
            raise Fault(f"{path}: {len(expected)} items, in pieces {len(found)} or others")
        split += path.stat().st_size > limit
        items += len(found)
    if not split:
        raise Fault(f"{folder}: nothing to split")
    print(f"{folder}: {count} pieces have the {items} items of {split} requests that were too large,"
          " and the others")


def main(args):
    if args[:1] == ["--make"]:
        return make(args[1])
    if args[:1] == ["--pieces"]:
        return check_pieces(args[1], args[2], int(args[3]))
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
