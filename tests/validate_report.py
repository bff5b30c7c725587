#!/usr/bin/env python3
# SPDX-License-Identifier: ISC
"""Validate reports: validate_report.py SCHEMA REPORT...

Stricter than what readers are promised: a field that the schema does not
have is an error, too, so that none is added without a description. Exit
code 77 without python3-jsonschema.
"""
import json
import sys

try:
    from jsonschema import Draft202012Validator
except ImportError:
    print("skipped: python3-jsonschema is not installed")
    sys.exit(77)


def close(node):
    if isinstance(node, dict):
        if "properties" in node:
            node.setdefault("additionalProperties", False)
        for value in node.values():
            close(value)
    elif isinstance(node, list):
        for value in node:
            close(value)


with open(sys.argv[1], encoding="utf-8") as file:
    schema = json.load(file)
Draft202012Validator.check_schema(schema)
close(schema)
validator = Draft202012Validator(schema)
bad = False
for path in sys.argv[2:]:
    with open(path, encoding="utf-8") as file:
        report = json.load(file)
    for error in validator.iter_errors(report):
        where = "/".join(str(part) for part in error.absolute_path)
        print("%s: %s: %s" % (path, where, error.message[:300]))
        bad = True
sys.exit(bad)
