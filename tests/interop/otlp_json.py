# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""OTLP's JSON form, as servers write it, into plain dictionaries."""


def value_of(value):
    (kind, content), = value.items() or (("null", None),)
    if kind == "intValue":
        return int(content)
    if kind == "arrayValue":
        return [value_of(v) for v in content.get("values", [])]
    return content


def attributes_of(item):
    pairs = item.get("attributes", [])
    ret = {pair["key"]: value_of(pair["value"]) for pair in pairs}
    assert len(ret) == len(pairs), "an attribute key occurs twice"
    return ret


def items(document, plural, inner):
    """(resource attributes, item) of a document of one signal."""
    for group in document.get("resource" + plural, []):
        resource = attributes_of(group["resource"])
        for scope in group["scope" + plural]:
            for item in scope[inner]:
                yield resource, item


def spans(document):
    for resource, span in items(document, "Spans", "spans"):
        status = span.get("status", {})
        yield {
            "trace_id": span["traceId"], "span_id": span["spanId"],
            "parent": span.get("parentSpanId", ""), "name": span["name"],
            "trace_state": span.get("traceState", ""),
            "start": int(span["startTimeUnixNano"]), "end": int(span["endTimeUnixNano"]),
            "attributes": attributes_of(span), "status": status.get("code", 0),
            "message": status.get("message", ""), "resource": resource,
        }


def logs(document):
    for resource, record in items(document, "Logs", "logRecords"):
        yield {
            "trace_id": record.get("traceId", ""), "span_id": record.get("spanId", ""),
            "time": int(record.get("timeUnixNano", 0)), "attributes": attributes_of(record),
            "body": value_of(record.get("body", {})), "resource": resource,
        }


def points(document):
    for resource, metric in items(document, "Metrics", "metrics"):
        kind = next(k for k in ("sum", "gauge", "histogram", "exponentialHistogram") if k in metric)
        for point in metric[kind]["dataPoints"]:
            yield {
                "metric": metric["name"], "unit": metric.get("unit", ""), "kind": kind,
                "cumulative": metric[kind].get("aggregationTemporality") == 2,
                "monotonic": metric[kind].get("isMonotonic", False),
                "time": int(point["timeUnixNano"]), "attributes": attributes_of(point),
                "value": int(point["asInt"]) if "asInt" in point else point.get("asDouble"),
                "point": point, "resource": resource,
            }
