"""Whether a file is what CycloneDX's schema of its version says: sbom.py FILE."""

import json
import sys

from cyclonedx.schema import OutputFormat, SchemaVersion
from cyclonedx.validation import make_schemabased_validator

with open(sys.argv[1], encoding="utf-8") as file:
    text = file.read()
bom = json.loads(text)
version = SchemaVersion.from_version(bom["specVersion"])
error = make_schemabased_validator(OutputFormat.JSON, version).validate_str(text)
if error:
    sys.exit(f"{sys.argv[1]}: {error}")

listed = {bom["metadata"]["component"]["bom-ref"]}
listed.update(component["bom-ref"] for component in bom["components"])
graph = {entry["ref"]: entry.get("dependsOn", []) for entry in bom["dependencies"]}
if graph.keys() != listed:
    sys.exit(f"not both listed and in the graph: {graph.keys() ^ listed}")
reached, left = set(), [bom["metadata"]["component"]["bom-ref"]]
while left:
    ref = left.pop()
    if ref not in reached:
        reached.add(ref)
        left += graph[ref]
if reached != listed:
    sys.exit(f"nothing needs {listed - reached}")
