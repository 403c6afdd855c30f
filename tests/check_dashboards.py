#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Grafana's dashboards as far as they can be checked without Grafana: what it would silently ignore or
show as an empty panel, and names of metrics that ringspan does not have (any more).

  check_dashboards.py [--compose FOLDER] [--readme FILE]
  check_dashboards.py --typescript FILE    the same dashboards as constants of Grafana's types
"""
import argparse
import glob
import json
import os
import re
import sys

TESTS = os.path.dirname(os.path.abspath(__file__))
sys.path.insert(0, os.path.join(TESTS, "interop"))
import expressions  # noqa: E402

COLUMNS = 24
BUILT_IN = {"__all", "__interval", "__rate_interval", "__range", "__from", "__to", "__data", "__tags"}
GROUPING = re.compile(r"\b(?:by|without|on|ignoring|group_left|group_right)\s*\([^)]*\)")
SELECTOR = re.compile(r"\{[^}]*\}")
METRIC = re.compile(r"\b(?:xdp|ringspan|otel)_\w+")
VARIABLE = re.compile(r"\$(?:\{(\w+)[^}]*\}|(\w+))")
DATASOURCES = {"prometheus": "${datasource}", "jaeger": "jaeger"}
TARGET_KEYS = {
    "prometheus": {"refId", "editorMode", "expr", "legendFormat", "range", "instant", "exemplar",
                   "format", "datasource"},
    "jaeger": {"refId", "queryType", "service", "tags", "limit", "datasource"}}
PANEL_TYPES = {"timeseries": "TimeSeries", "stat": "Stat", "heatmap": "Heatmap", "table": "Table"}
# what Grafana knows by itself, and free prefixes
UNITS = {"bps", "Bps", "pps", "cps", "ns", "s", "bytes", "decbytes", "percentunit", "short",
         "locale", "none"}


class Faults(list):
    def demand(self, where, is_so, what):
        if not is_so:
            self.append("%s: %s" % (where, what))


def metrics_of_readme(path):
    """Names in the second column of the table of metrics. A row of several metrics has one name for all
    of {a,b} of its first column."""
    with open(path, encoding="utf-8") as file:
        section = file.read().partition("\n### Metrics\n")[2].partition("\n### ")[0]
    names = set()
    for row in re.findall(r"^\| (`.*?) \| (.*?) \|", section, re.M):
        kinds = [kind for group in re.findall(r"\{([\w,]+)\}", row[0]) for kind in group.split(",")]
        for name in re.findall(r"`(\w+)`", row[1]):
            names.add(name)
            for kind in kinds:
                for other in kinds:
                    names.add(name.replace("_%s_" % kind, "_%s_" % other))
    return names


def metrics_of_expression(expr):
    return METRIC.findall(GROUPING.sub("", SELECTOR.sub("", expr)))


def check_names(compose, readme, faults):
    known = metrics_of_readme(readme)
    faults.demand(readme, len(known) > 30, "no table of metrics found")
    for one in expressions.expressions(compose, expressions.VARIABLES):
        if one["kind"] in ("record", "alert"):
            continue
        names = metrics_of_expression(one["expr"])
        faults.demand(one["place"], names, "no metric in " + one["expr"])
        for name in names:
            faults.demand(one["place"], name in known, "%s: README names no such metric" % name)


def check_grid(panels, where, faults):
    taken = {}
    for panel in panels:
        pos = panel["gridPos"]
        faults.demand(where, pos["x"] >= 0 and pos["x"] + pos["w"] <= COLUMNS and pos["h"] > 1,
                      "panel %d sticks out" % panel["id"])
        for x in range(pos["x"], pos["x"] + pos["w"]):
            for y in range(pos["y"], pos["y"] + pos["h"]):
                other = taken.setdefault((x, y), panel["id"])
                if other != panel["id"]:
                    faults.append("%s: panels %d and %d overlap" % (where, other, panel["id"]))
                    return


def check_panel(panel, where, faults):
    faults.demand(where, panel.get("title"), "no title")
    faults.demand(where, "?" in panel.get("description", ""), "its description asks no question")
    faults.demand(where, panel["type"] in PANEL_TYPES, "type %s" % panel["type"])
    unit = panel["fieldConfig"]["defaults"].get("unit", "")
    faults.demand(where, unit in UNITS or unit.startswith("prefix:"), "unit %r" % unit)
    source = panel.get("datasource", {})
    keys = TARGET_KEYS.get(source.get("type"), set())
    faults.demand(where, DATASOURCES.get(source.get("type")) == source.get("uid"),
                  "data source %s" % source)
    faults.demand(where, panel["targets"], "no query")
    refs = [target["refId"] for target in panel["targets"]]
    faults.demand(where, len(set(refs)) == len(refs), "refId twice")
    for target in panel["targets"]:
        faults.demand(where, target["datasource"] == source, "a query of another data source")
        faults.demand(where, set(target) <= keys, "unknown: %s" % sorted(set(target) - keys))
        expr = target.get("expr", "")
        faults.demand(where, not re.search(r"\b(rate|irate)\([^\[]*\[(?!\$__rate_interval)", expr),
                      "a rate without $__rate_interval")
        faults.demand(where, target.get("instant") is None or not target.get("range"),
                      "both instant and range")


def check_dashboard(dashboard, where, faults):
    panels = dashboard["panels"]
    ids = [panel["id"] for panel in panels]
    faults.demand(where, len(set(ids)) == len(ids), "panel id twice")
    faults.demand(where, dashboard.get("schemaVersion") == 42, "schemaVersion")
    faults.demand(where, "id" not in dashboard, "an id: that is the database's")
    check_grid(panels, where, faults)
    for panel in panels:
        check_panel(panel, "%s: %s" % (where, panel.get("title")), faults)
    variables = {variable["name"] for variable in dashboard["templating"]["list"]}
    faults.demand(where, {"datasource", "environment", "host"} <= variables, "variables missing")
    used = {a or b for a, b in VARIABLE.findall(json.dumps(dashboard))}
    faults.demand(where, used <= variables | BUILT_IN,
                  "not defined: %s" % sorted(used - variables - BUILT_IN))
    faults.demand(where, variables <= used, "not used: %s" % sorted(variables - used))


def check_links(dashboards, faults):
    uids = [dashboard["uid"] for dashboard in dashboards.values()]
    faults.demand("dashboards", len(set(uids)) == len(uids), "uid twice")
    for where, dashboard in dashboards.items():
        found = re.findall(r'"/d/([\w-]+)', json.dumps(dashboard))
        for uid in found:
            faults.demand(where, uid in uids, "a link to %s, which is not there" % uid)
        faults.demand(where, set(uids) - {dashboard["uid"]} <= set(found), "not linked to all others")


def check_provisioning(compose, faults):
    where = os.path.join(compose, "grafana", "provisioning")
    sources = expressions.load(where + "/datasources/ringspan.yaml")["datasources"]
    by_uid = {source["uid"]: source for source in sources}
    faults.demand("data sources", set(by_uid) == {"prometheus", "jaeger"}, sorted(by_uid))
    exemplars = by_uid["prometheus"]["jsonData"]["exemplarTraceIdDestinations"]
    faults.demand("data sources", [(x["name"], x["datasourceUid"]) for x in exemplars] ==
                  [("trace_id", "jaeger")], "exemplars do not lead to Jaeger")
    metrics = by_uid["jaeger"]["jsonData"]["tracesToMetrics"]
    faults.demand("data sources", metrics["datasourceUid"] == "prometheus",
                  "traces do not lead to Prometheus")
    for query in metrics["queries"]:
        faults.demand(query["name"], "{$$__tags}" in query["query"] and
                      "$" not in query["query"].replace("$$__", ""), "a $ that is not doubled")
    for source in sources:
        faults.demand(source["name"], not source.keys() & {"secureJsonData", "user", "password"},
                      "a secret")


def typescript(dashboards):
    """Constants written as literals, so that keys that the types do not have are found, too."""
    out = ["import type { Dashboard, Panel } from '@grafana/schema';"]
    for kind, name in sorted(PANEL_TYPES.items()):
        out.append("import type * as %s from '@grafana/schema/dist/esm/raw/composable/%s/panelcfg/x/"
                   "%sPanelCfg_types.gen';" % (name, kind, name))
    out += ["// JSON has the values of enumerations, not their names",
            "type Json<T> = T extends string ? `${T}` : T extends number | boolean | null | undefined",
            "  ? T : T extends Array<infer E> ? Json<E>[] : T extends object ? { [K in keyof T]: Json<T[K]> }",
            "  : T;"]
    for index, dashboard in enumerate(dashboards.values()):
        rest = {key: value for key, value in dashboard.items() if key not in ("panels", "annotations")}
        out.append("export const d%d: Json<Dashboard> = %s;" % (index, json.dumps(rest)))
        annotations = [{k: v for k, v in one.items() if k not in ("titleFormat", "tagKeys", "target")}
                       for one in dashboard["annotations"]["list"]] # those three are Prometheus'
        out.append("export const a%d: Json<Dashboard['annotations']> = %s;" % (
            index, json.dumps({"list": annotations})))
        for panel in dashboard["panels"]:
            name, kind = "%d_%d" % (index, panel["id"]), PANEL_TYPES[panel["type"]]
            out.append("export const p%s: Json<Panel> = %s;" % (name, json.dumps(panel)))
            if kind != "Stat":
                out.append("export const f%s: Json<Partial<%s.FieldConfig>> = %s;" % (
                    name, kind, json.dumps(panel["fieldConfig"]["defaults"].get("custom", {}))))
            out.append("export const o%s: Json<%s.Options> = %s;" % (
                name, kind, json.dumps(panel["options"])))
    return "\n".join(out) + "\n"


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--compose", default=os.path.join(TESTS, "..", "compose"))
    parser.add_argument("--readme", default=os.path.join(TESTS, "..", "README.md"))
    parser.add_argument("--typescript", metavar="FILE")
    options = parser.parse_args()
    paths = sorted(glob.glob(options.compose + "/grafana/dashboards/*.json"))
    dashboards = {os.path.basename(path): expressions.load(path) for path in paths}
    if options.typescript:
        with open(options.typescript, "w", encoding="utf-8") as file:
            file.write(typescript(dashboards))
        return
    faults = Faults()
    faults.demand("dashboards", len(dashboards) == 3, "%d of them" % len(dashboards))
    for where, dashboard in dashboards.items():
        check_dashboard(dashboard, where, faults)
    check_links(dashboards, faults)
    check_provisioning(options.compose, faults)
    check_names(options.compose, options.readme, faults)
    if faults:
        sys.exit("\n".join(faults))
    print("%d dashboards, %d panels" % (
        len(dashboards), sum(len(dashboard["panels"]) for dashboard in dashboards.values())))


if __name__ == "__main__":
    main()
