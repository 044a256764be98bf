// What of a container can be edited, as a form, and the difference of two forms as the engine takes it.
import { Failure, engine, post } from "./api";
import type { definitions } from "./docker";
import type { Rows } from "./form";

export type Wanted = Rows & { name: string; restart: string; retries: number; memory: number | null; cpus: number | null };
type Inspect = {
  Id: string; Name: string; State: { Running: boolean; StartedAt: string }; Config: definitions["ContainerConfig"]; HostConfig: definitions["HostConfig"];
  Mounts?: { Type: string; Name?: string; Source: string; Destination: string; Mode?: string; RW: boolean }[];
  NetworkSettings?: { Networks?: Record<string, { Links?: string[] | null } | null> };
};
export type Step = { Field: string; From: string; To: string; Successor: boolean };
export type Plan = { ID: string; Name: string; Steps: Step[]; Stops: boolean; StopTimeout?: number; Compose?: { Project: string; Service: string; Files?: string[] | null } };
type Port = { HostIp?: string; HostPort: string };
export type Change = {
  Name?: string; Memory?: number; NanoCPUs?: number; RestartPolicy?: { Name: string; MaximumRetryCount: number }; PublishAdd?: Record<string, Port[]>; PublishRemove?: string[];
  EnvSet?: string[]; EnvRemove?: string[]; VolumeAdd?: string[]; VolumeRemove?: string[]; LinkAdd?: string[]; LinkRemove?: string[];
};
/** How an edit ended. "back" is as before, because it did not start with the change. */
export type Ended = { id: string; how: "done" | "back" | "failed"; text: string; hint: string };

const MiB = 1024 * 1024;
export const inspect = (id: string) => engine<Inspect>(`/containers/${id}/json`);

/** The form of a container as it is. */
export function wanted(i: Inspect): Wanted {
  const h = i.HostConfig, bindings = Object.entries((h.PortBindings ?? {}) as Record<string, Port[] | null>);
  const links = [...(h.Links ?? []), ...Object.values(i.NetworkSettings?.Networks ?? {}).flatMap((n) => n?.Links ?? [])];
  const last = (path: string) => path.slice(path.lastIndexOf("/") + 1);
  return {
    name: i.Name.slice(1), restart: h.RestartPolicy?.Name === "no" ? "" : (h.RestartPolicy?.Name ?? ""), retries: h.RestartPolicy?.MaximumRetryCount ?? 0,
    memory: h.Memory ? h.Memory / MiB : null, cpus: h.NanoCpus ? h.NanoCpus / 1e9 : null,
    // A port that the engine chose has no number to name it by, so it stays.
    ports: bindings.flatMap(([k, list]) => (list ?? []).filter((b) => Number(b.HostPort) > 0).map((b) => ({ ip: b.HostIp ?? "", host: b.HostPort, inside: k.split("/")[0], proto: k.split("/")[1] ?? "tcp" }))),
    mounts: (i.Mounts ?? []).filter((m) => m.Type === "bind" || m.Type === "volume").map((m) => ({
      source: m.Type === "volume" ? (m.Name ?? "") : m.Source, target: m.Destination, readonly: !m.RW, options: (m.Mode ?? "").split(",").filter((o) => o && o !== "ro" && o !== "rw").join(","),
    })),
    env: (i.Config.Env ?? []).map((text) => ({ text })),
    links: [...new Map(links.map((l) => { const [to, as = to] = l.split(":"); return [last(as), { to: last(to), as: last(as) }]; })).values()],
  };
}

/** What the form says otherwise than it did; empty where nothing. */
export function change(was: Wanted, now: Wanted): Change {
  const c: Change = {};
  const both = <T>(a: T[], b: T[], text: (v: T) => string) => {
    const had = new Set(a.map(text)), has = new Set(b.map(text));
    return { gone: a.filter((v) => !has.has(text(v))), come: b.filter((v) => !had.has(text(v))) };
  };
  const list = <K extends keyof Change>(k: K, v: string[]) => { if (v.length > 0) c[k] = v as Change[K]; };
  const at = (ip = "") => (ip.includes(":") ? `[${ip}]:` : ip && `${ip}:`);

  const ports = both(was.ports, now.ports.filter((p) => p.host && p.inside), (p) => `${at(p.ip)}${p.host}:${p.inside}/${p.proto}`);
  list("PublishRemove", ports.gone.map((p) => `${at(p.ip)}${p.host}/${p.proto}`));
  for (const p of ports.come) ((c.PublishAdd ??= {})[`${p.inside}/${p.proto}`] ??= []).push({ HostIp: p.ip, HostPort: p.host });

  const variable = (e: { text: string }) => e.text.split("=")[0];
  const texts = both(was.env, now.env.filter((e) => e.text), (e) => e.text), names = new Set(now.env.map(variable));
  list("EnvRemove", texts.gone.map(variable).filter((n) => !names.has(n)));
  list("EnvSet", texts.come.map((e) => e.text));

  const mount = (m: Rows["mounts"][number]) => {
    const options = [m.readonly ? "ro" : "", m.options ?? ""].filter(Boolean).join(",");
    return m.source ? `${m.source}:${m.target}${options && ":" + options}` : m.target;
  };
  const mounts = both(was.mounts, now.mounts.filter((m) => m.target), mount);
  list("VolumeRemove", mounts.gone.map((m) => m.target));
  list("VolumeAdd", mounts.come.map(mount));

  const links = both(was.links, now.links.filter((l) => l.to), (l) => `${l.to}:${l.as || l.to}`);
  list("LinkRemove", links.gone.map((l) => l.as));
  list("LinkAdd", links.come.map((l) => `${l.to}:${l.as || l.to}`));

  if (now.name && now.name !== was.name) c.Name = now.name;
  if (now.memory !== was.memory) c.Memory = Math.round((now.memory ?? 0) * MiB);
  if (now.cpus !== was.cpus) c.NanoCPUs = Math.round((now.cpus ?? 0) * 1e9);
  if (now.restart !== was.restart) c.RestartPolicy = { Name: now.restart || "no", MaximumRetryCount: 0 };
  return c;
}

export const plan = (id: string, c: Change) => post<Plan>(`/berth/containers/${id}/edit?plan=1`, c);

/** Whether the engine edits at all: one that is not berth's knows no such path. */
export async function can(id: string): Promise<boolean> {
  try {
    await plan(id, {});
    return true;
  } catch (e) {
    const f = e as Failure;
    if ((f.status === 404 && !/no such container/i.test(f.message)) || f.status === 405 || f.status === 501) return false;
    throw e;
  }
}

class Edits {
  /** The latest edit's end; it outlives the page, since an edit may change the page's name. */
  ended = $state.raw<Ended>();

  /** Does an edit and tells how it ended. Whether it went back is seen from the container, not from words. */
  async do(id: string, c: Change): Promise<Ended> {
    const before = await inspect(id);
    let ended: Ended;
    try {
      await post(`/berth/containers/${id}/edit`, c);
      ended = { id, how: "done", text: "", hint: "" };
    } catch (e) {
      const f = e as Failure, now = await inspect(id).catch(() => undefined);
      const same = now && JSON.stringify(wanted(now)) === JSON.stringify(wanted(before));
      const back = same && now.State.Running && now.State.StartedAt !== before.State.StartedAt;
      ended = { id, how: back ? "back" : "failed", text: f.message, hint: f.hint };
    }
    this.ended = ended;
    return ended;
  }
}
export const edits = new Edits();
