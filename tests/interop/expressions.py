#!/usr/bin/python3
# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Every PromQL expression that Grafana and Prometheus get from compose/, one JSON object a line:

  {"place": "link-overview.json: Packets now: A", "kind": "panel", "expr": "sum(rate(…"}

kind is panel (also a query that a trace leads to), annotation, variable (the series that its values
are taken from), record or alert. Grafana's variables are replaced, by --set or else as in a dashboard
that shows everything; one that is not known is an error.
"""
import argparse
import glob
import json
import os
import re
import sys

import yaml

COMPOSE = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "compose")
VARIABLES = {"environment": ".*", "host": ".*", "interface": ".*", "__interval": "15s",
             "__rate_interval": "1m", "__range": "15m", "__tags": 'job="xdp-packet-counter"'}
LABEL_VALUES = re.compile(r"label_values\((.*),\s*\w+\)$")


def replaced(expr, variables, place):
    def value(match):
        name = match[1] or match[2]
        if name not in variables:
            sys.exit("expressions: %s: variable $%s is not known" % (place, name))
        return variables[name]
    return re.sub(r"\$(?:\{(\w+)\}|(\w+))", value, expr)


def of_dashboard(dashboard):
    for panel in dashboard["panels"]:
        for target in panel["targets"]:
            if "expr" in target:
                yield "%s: %s" % (panel["title"], target["refId"]), "panel", target["expr"]
    for annotation in dashboard["annotations"]["list"]:
        yield annotation["name"], "annotation", annotation["target"]["expr"]
    for variable in dashboard["templating"]["list"]:
        if variable["type"] == "query":
            query = variable["query"]["query"]
            series = LABEL_VALUES.match(query)
            if not series:
                sys.exit("expressions: variable %s: not label_values(series, label): %s" %
                         (variable["name"], query))
            yield "$" + variable["name"], "variable", series[1]


def of_datasources(provisioned):
    for source in provisioned["datasources"]:
        for query in source["jsonData"].get("tracesToMetrics", {}).get("queries", []):
            yield query["name"], "panel", query["query"].replace("$$", "$")


def of_rules(rules):
    for group in rules["groups"]:
        for rule in group["rules"]:
            kind = "record" if "record" in rule else "alert"
            yield rule[kind], kind, rule["expr"]


def load(path):
    with open(path, encoding="utf-8") as file:
        return json.load(file) if path.endswith(".json") else yaml.safe_load(file)


def expressions(compose, variables):
    for pattern, of_file in (("grafana/dashboards/*.json", of_dashboard),
                             ("grafana/provisioning/datasources/*.yaml", of_datasources),
                             ("prometheus/rules/*.yaml", of_rules)):
        for path in sorted(glob.glob(os.path.join(compose, pattern))):
            if path.endswith(".test.yaml"):
                continue
            for where, kind, expr in of_file(load(path)):
                place = "%s: %s" % (os.path.basename(path), where)
                if of_file is not of_rules:
                    expr = replaced(expr, variables, place)
                yield {"place": place, "kind": kind, "expr": expr}


def main():
    parser = argparse.ArgumentParser(description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--set", action="append", default=[], metavar="NAME=VALUE",
                        help="value of a variable, such as __rate_interval=10s")
    parser.add_argument("--compose", default=COMPOSE, help="the folder (default: %(default)s)")
    options = parser.parse_args()
    variables = dict(VARIABLES)
    for one in options.set:
        name, equals, value = one.partition("=")
        if not equals or name not in variables:
            parser.error("--set %s: wants NAME=VALUE, NAME one of %s" % (one, ", ".join(VARIABLES)))
        variables[name] = value
    for one in expressions(options.compose, variables):
        print(json.dumps(one, ensure_ascii=False))


if __name__ == "__main__":
    main()
