// Writes src/lib/docker.d.ts from the definitions of the Docker Engine API that the Go module github.com/moby/moby/api
// brings: the same document that the engine is tested against. `npm run types` after a new version of the module.
import { execFileSync } from "node:child_process";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import openapi from "openapi-typescript";
import yaml from "js-yaml";

const dir = execFileSync("go", ["list", "-m", "-f", "{{.Dir}}", "github.com/moby/moby/api"], { cwd: join(import.meta.dirname ?? ".", "../.."), encoding: "utf8" }).trim();
const doc = yaml.load(readFileSync(join(dir, "swagger.yaml"), "utf8"));
const wanted = ["ContainerSummary", "ContainerInspectResponse", "ContainerConfig", "HostConfig", "NetworkingConfig", "EndpointSettings",
  "ImageSummary", "ImageInspect", "Volume", "NetworkInspect", "NetworkSummary", "Network", "SystemInfo", "SystemVersion", "EventMessage", "PortSummary", "MountPoint", "Health", "ContainerState",
  "ContainerStatsResponse", "ImageHistoryResponseItem"];

// used follows references from the definitions that the page uses.
const used = new Set();
const visit = (node) => {
  if (Array.isArray(node)) return node.forEach(visit);
  if (node === null || typeof node !== "object") return;
  const ref = typeof node.$ref === "string" && node.$ref.split("/").pop();
  if (ref && !used.has(ref)) { used.add(ref); visit(doc.definitions[ref]); }
  Object.values(node).forEach(visit);
};
for (const name of wanted.filter((n) => doc.definitions[n])) { used.add(name); visit(doc.definitions[name]); }
const strip = (node) => {
  if (Array.isArray(node)) return node.map(strip);
  if (node === null || typeof node !== "object") return node;
  return Object.fromEntries(Object.entries(node).filter(([k, v]) => !(["description", "example", "default"].includes(k) && (typeof v !== "object" || k === "example" || k === "default"))).map(([k, v]) => [k, strip(v)]));
};
const definitions = Object.fromEntries(Object.keys(doc.definitions).filter((n) => used.has(n)).sort().map((n) => [n, strip(doc.definitions[n])]));
const out = await openapi({ swagger: "2.0", info: doc.info, paths: {}, definitions }, { version: 2 });
writeFileSync("src/lib/docker.d.ts", out);
