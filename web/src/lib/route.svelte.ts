// Where the page is: #/page/name/tab.
class Route {
  parts = $state.raw<string[]>(read());
  constructor() {
    addEventListener("hashchange", () => (this.parts = read()));
  }
}
function read(): string[] {
  const parts = location.hash.replace(/^#\/?/, "").split("/").filter(Boolean).map((p) => { try { return decodeURIComponent(p); } catch { return p; } });
  return parts.length > 0 && !parts[0].includes("=") ? parts : ["containers"];
}
export const route = new Route();
export const to = (...parts: string[]) => "#/" + parts.map(encodeURIComponent).join("/");
export const go = (...parts: string[]) => { location.hash = to(...parts); };
