// The form of a new container, and the request that it stands for.
import type { definitions } from "./docker";

/** What comes in rows; ip and options are what a container has and the form only keeps. */
export type Rows = {
  ports: { ip?: string; host: string; inside: string; proto: string }[]; mounts: { source: string; target: string; readonly: boolean; options?: string }[];
  env: { text: string }[]; links: { to: string; as: string }[];
};
export type Form = Rows & {
  image: string; name: string; command: string; network: string; restart: string; memory: number | null; cpus: number | null; tty: boolean; rest: Request;
};
type Request = definitions["ContainerConfig"] & { HostConfig?: definitions["HostConfig"]; NetworkingConfig?: unknown };

export const empty = (): Form => ({ image: "", name: "", command: "", network: "", restart: "", memory: null, cpus: null, tty: false, ports: [], mounts: [], env: [], links: [], rest: {} });

/** Splits a command at spaces outside of quotes. */
export const split = (s: string): string[] => [...s.matchAll(/(?:"([^"]*)"|'([^']*)'|[^\s"']+)+/g)].map((m) => m[0].replace(/"([^"]*)"|'([^']*)'/g, "$1$2"));
const quoted = (w: string) => (/^[^\s"']+$/.test(w) ? w : w.includes('"') ? `'${w}'` : `"${w}"`);

/** The request: what the form says, over what a pasted line said that the form has no field for. */
export function body(f: Form): Request {
  const bindings: Record<string, { HostIp?: string; HostPort: string }[]> = {}, exposed: Record<string, object> = {};
  for (const p of f.ports) if (p.inside) { const k = `${p.inside}/${p.proto}`; (bindings[k] ??= []).push({ HostPort: p.host }); exposed[k] = {}; }
  const host = { ...f.rest.HostConfig } as definitions["HostConfig"];
  const set = <K extends keyof typeof host>(k: K, v: (typeof host)[K] | undefined, use: boolean) => { if (use) host[k] = v as (typeof host)[K]; else delete host[k]; };
  set("PortBindings", bindings, f.ports.length > 0);
  set("Binds", f.mounts.filter((m) => m.target).map((m) => (m.source ? m.source + ":" : "") + m.target + (m.readonly ? ":ro" : "")), f.mounts.length > 0);
  set("Links", f.links.map((l) => `${l.to}:${l.as || l.to}`), f.links.length > 0);
  set("NetworkMode", f.network, f.network !== "");
  set("RestartPolicy", { Name: f.restart as "always" }, f.restart !== "");
  set("Memory", (f.memory ?? 0) * 1024 * 1024, !!f.memory);
  set("NanoCpus", Math.round((f.cpus ?? 0) * 1e9), !!f.cpus);
  return {
    ...f.rest, Image: f.image, Env: f.env.map((e) => e.text).filter(Boolean), ...(f.command ? { Cmd: split(f.command) } : { Cmd: undefined }), ExposedPorts: exposed,
    Tty: f.tty, OpenStdin: f.tty, HostConfig: host,
  } as Request;
}

/** The form of what a pasted line says. */
export function fill(l: { Name: string; Create: Request }): Form {
  const c = l.Create, h = (c.HostConfig ?? {}) as definitions["HostConfig"];
  const bindings = Object.entries((h.PortBindings ?? {}) as Record<string, { HostPort?: string }[] | null>);
  return {
    ...empty(), rest: c, name: l.Name, image: c.Image ?? "", command: (c.Cmd ?? []).map(quoted).join(" "), tty: c.Tty ?? false,
    network: h.NetworkMode && !["default", "bridge"].includes(h.NetworkMode) ? h.NetworkMode : "", restart: h.RestartPolicy?.Name && h.RestartPolicy.Name !== "no" ? h.RestartPolicy.Name : "",
    memory: h.Memory ? h.Memory / 1024 / 1024 : null, cpus: h.NanoCpus ? h.NanoCpus / 1e9 : null,
    ports: bindings.flatMap(([k, list]) => (list ?? []).map((b) => ({ host: b.HostPort ?? "", inside: k.split("/")[0], proto: k.split("/")[1] ?? "tcp" }))),
    mounts: (h.Binds ?? []).map((b) => { const p = b.split(":"); return { source: p.length > 1 ? p[0] : "", target: p[1] ?? p[0], readonly: (p[2] ?? "").split(",").includes("ro") }; }),
    env: (c.Env ?? []).map((text) => ({ text })), links: (h.Links ?? []).map((x) => ({ to: x.split(":")[0], as: x.split(":")[1] ?? "" })),
  };
}
