// What is done with a Compose project as a whole. Its containers are those with the project's label, shown or not.
import { engine, post, query, remove } from "./api";
import { live, type Container } from "./live.svelte";

const LABEL = "com.docker.compose.";
const label = (c: Container, name: string) => c.Labels?.[LABEL + name] ?? "";
export type Verb = "start" | "stop" | "restart";

/** The containers of a project, those that others depend on first. */
export async function members(project: string): Promise<Container[]> {
  const filters = JSON.stringify({ label: [`${LABEL}project=${project}`] });
  return ordered(await engine<Container[]>("/containers/json" + query({ all: 1, filters })));
}

/** Sorts by what Compose wrote of depends_on: "db:service_started:false,cache:…". A circle is cut where it is met. */
export function ordered(list: Container[]): Container[] {
  const needs = (c: Container) => label(c, "depends_on").split(",").map((d) => d.split(":")[0]).filter(Boolean);
  const out: Container[] = [], seen = new Set<Container>();
  const visit = (c: Container) => {
    if (seen.has(c)) return;
    seen.add(c);
    const before = needs(c);
    list.filter((x) => before.includes(label(x, "service"))).forEach(visit);
    out.push(c);
  };
  list.forEach(visit);
  return out;
}

/** Does the same to each; one that fails does not keep the others from it. Throws the first failure. */
async function each(list: Container[], what: (c: Container) => Promise<unknown>) {
  let failure: unknown;
  for (const c of list) await what(c).catch((e) => (failure ??= e));
  if (failure) throw failure;
}

/** Stops in the reverse order of a start. What "compose run" left is not started with the services. */
export async function all(project: string, verb: Verb) {
  const list = await members(project);
  if (verb !== "start") await each([...list].reverse(), (c) => post(`/containers/${c.Id}/stop`));
  if (verb !== "stop") await each(list.filter((c) => label(c, "oneoff") !== "True"), (c) => post(`/containers/${c.Id}/start`));
}

/** Removes a project's containers and the networks that Compose made for it. Volumes with a name stay. */
export async function removeAll(project: string, volumes: boolean) {
  await each((await members(project)).reverse(), (c) => remove(`/containers/${c.Id}${query({ force: true, v: volumes })}`));
  for (const n of live.networks) if (n.Labels?.[LABEL + "project"] === project) await remove(`/networks/${n.Id}`);
}
