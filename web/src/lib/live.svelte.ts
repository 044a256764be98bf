// What the engine has, as it is now. Events say what to look at again; nothing is asked at intervals.
import { engine, Failure, get, lines, query, stream } from "./api";
import type { definitions } from "./docker";

export type Container = definitions["ContainerSummary"];
export type Image = definitions["ImageSummary"];
export type Volume = definitions["Volume"];
export type Network = definitions["Network"];
export type Event = { Type: string; Action: string; Actor: { ID: string; Attributes: Record<string, string> }; time: number; timeNano: number };
export type About = { engine: string; context: string; local: boolean; machine: string; version: string; home: string };

const MOST_EVENTS = 500;

class Live {
  about = $state.raw<About>({ engine: "", context: "", local: false, machine: "", version: "", home: "" });
  up = $state(false);
  begun = $state(false);
  why = $state.raw<Failure | undefined>();
  containers = $state.raw<Container[]>([]);
  images = $state.raw<Image[]>([]);
  volumes = $state.raw<Volume[]>([]);
  networks = $state.raw<Network[]>([]);
  events = $state.raw<Event[]>([]);

  async start() {
    this.about = await get<About>("/local/about");
    this.#listen(500);
  }

  #listen(wait: number) {
    stream("/events", {
      open: () => { wait = 500; void this.#all(); },
      data: lines<Event>((e) => this.#happened(e)),
      end: (why) => {
        this.up = false;
        this.begun = true;
        this.why = why;
        setTimeout(() => this.#listen(Math.min(wait * 2, 5000)), wait);
      },
    });
  }

  async #all() {
    try {
      await Promise.all([this.#look("container"), this.#look("image"), this.#look("volume"), this.#look("network")]);
      this.up = true;
      this.why = undefined;
    } catch (e) {
      this.why = e as Failure;
    }
    this.begun = true;
  }

  async #look(kind: string) {
    switch (kind) {
      case "container": this.containers = await engine<Container[]>("/containers/json" + query({ all: 1 })); break;
      case "image": this.images = await engine<Image[]>("/images/json"); break;
      case "volume": this.volumes = (await engine<{ Volumes: Volume[] | null }>("/volumes")).Volumes ?? []; break;
      case "network": this.networks = await engine<Network[]>("/networks"); break;
    }
  }

  #due = new Set<string>();

  #happened(e: Event) {
    if (e.Action.startsWith("exec_")) return;
    this.events = [e, ...this.events].slice(0, MOST_EVENTS);
    const kinds = e.Type === "network" ? ["network", "container"] : e.Type === "container" && e.Action === "commit" ? ["container", "image"] : [e.Type];
    for (const kind of kinds) {
      if (this.#due.has(kind)) continue; // one look for all that happens meanwhile
      this.#due.add(kind);
      setTimeout(() => { this.#due.delete(kind); this.#look(kind).catch(() => {}); }, 120);
    }
  }
}

export const live = new Live();

export const name = (c: Container) => (c.Names?.[0] ?? c.Id ?? "").replace(/^\//, "");
export const project = (c: Container) => c.Labels?.["com.docker.compose.project"] ?? "";
export const health = (c: Container) => /\((healthy|unhealthy|health: starting)\)/.exec(c.Status ?? "")?.[1].replace("health: ", "") ?? "";
export const running = (c: Container) => c.State === "running" || c.State === "paused" || c.State === "restarting";
export const tag = (i: Image) => i.RepoTags?.[0] ?? (i.Id ?? "").slice(7, 19);

/** The host ports of a container, each once. */
export function ports(c: Container) {
  const seen = new Map<string, { host: number; inside: number; proto: string }>();
  for (const p of c.Ports ?? []) if (p.PublicPort) seen.set(`${p.PublicPort}/${p.Type}`, { host: p.PublicPort, inside: p.PrivatePort ?? 0, proto: p.Type ?? "tcp" });
  return [...seen.values()].sort((a, b) => a.host - b.host);
}
