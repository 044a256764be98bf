// The newcomer's story, from an empty engine to a linked pair, with the faults that may come between. Run by the Go test
// beside it, which says by variables what to use.
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";

const require = createRequire(new URL("../../web/package.json", import.meta.url));
const { chromium } = require("playwright-core");
const axe = readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const { LINK, LANGUAGE_CODE: lang, IMAGE, SPARE, SITE, SIGNS, BERTH_SHOTS: shots } = process.env;
const words = JSON.parse(readFileSync(new URL(`../../web/src/i18n/${lang}.json`, import.meta.url), "utf8"));
const t = (key, values = {}) => words[key].replace(/\{(\w+)\}/g, (_, k) => values[k]);

const browser = await chromium.launch({ executablePath: "/usr/bin/chromium", args: ["--no-sandbox", "--disable-gpu", "--disable-dev-shm-usage"] });
const context = await browser.newContext({ locale: lang === "ko" ? "ko-KR" : "en-GB", viewport: { width: 1280, height: 800 }, reducedMotion: "reduce" });
const page = await context.newPage();
page.setDefaultTimeout(Number(process.env.PATIENCE ?? 60000));
const wrong = [];
page.on("console", (m) => m.type() === "error" && !/Failed to load resource|WebSocket connection/.test(m.text()) && wrong.push(m.text()));
page.on("pageerror", (e) => wrong.push(String(e)));
page.on("request", (r) => !r.url().startsWith(new URL(LINK).origin) && !r.url().startsWith("data:") && !r.url().startsWith("blob:") && wrong.push(`asked another host: ${r.url()}`));

const origin = (hash) => page.evaluate((h) => { location.hash = h; }, hash);
const heading = (name) => page.getByRole("heading", { level: 1, name, exact: true }).waitFor();
const button = (name, exact = true) => page.getByRole("button", { name, exact });

// Every page is looked at by axe in both themes, and drawn where pictures are wanted.
async function look(name) {
  for (const theme of ["light", "dark"]) {
    // Below an open dialog nothing can be chosen by hand.
    if (await page.getByRole("dialog").count()) await page.evaluate((th) => { document.documentElement.dataset.theme = th; }, theme);
    else await page.getByLabel(t("app.theme"), { exact: true }).selectOption(theme);
    const found = await page.evaluate(() => window.axe.run(document, { runOnly: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa"] }));
    for (const v of found.violations) wrong.push(`axe, ${name}, ${theme}: ${v.id}: ${v.nodes.map((n) => n.target + " " + n.failureSummary).slice(0, 3).join(" | ")}`);
    if (shots) { mkdirSync(shots, { recursive: true }); await page.screenshot({ path: join(shots, `${name}-${lang}-${theme}.png`) }); }
  }
}
const step = (name) => console.log("story:", name);

try {
  await page.goto(LINK);
  await heading(t("nav.containers"));
  await page.evaluate(axe); // by the debugger: the page's policy binds the page, not its tester
  assert.ok(!page.url().includes("once="), "the token stays in the address");
  assert.deepEqual(await context.cookies(), []);
  assert.equal(await page.evaluate(() => document.documentElement.lang), lang);
  step("an empty engine");
  await page.getByText(t("containers.none"), { exact: true }).waitFor();
  await look("empty");

  step("the image comes");
  await origin("#/images");
  await heading(t("nav.images"));
  await page.getByLabel(t("images.get"), { exact: true }).fill(IMAGE);
  await button(t("images.pull")).click();
  await page.getByRole("link", { name: IMAGE, exact: true }).waitFor();
  await look("images");
  await page.getByRole("link", { name: IMAGE, exact: true }).click();
  await page.locator(".layer").first().waitFor();
  await look("image");

  step("a database, from a pasted line");
  await origin("#/create");
  await heading(t("create.title"));
  await page.getByLabel(t("create.paste"), { exact: true }).fill(`docker run -d --name db -e SECRET=x -v dbdata:/data ${IMAGE} sh -c "echo started; exec sleep 1000"`);
  await button(t("create.paste.go")).click();
  await page.waitForFunction(() => document.querySelector("[data-line]")?.textContent.includes("dbdata:/data"));
  await button(t("create.go")).click();
  await heading("db");

  step("a web server: port, folder, link");
  await origin("#/create");
  await heading(t("create.title"));
  await page.getByLabel(t("create.image"), { exact: true }).fill(IMAGE);
  await page.getByLabel(t("create.name"), { exact: true }).fill("web");
  const host = page.getByLabel(t("create.port.host", { n: 1 }), { exact: true });
  await host.waitFor(); // proposed from the image
  await host.fill("8090");
  await button(t("create.mount.add")).click();
  await page.getByLabel(t("create.mount.source", { n: 1 }), { exact: true }).fill(SITE);
  await page.getByLabel(t("create.mount.target", { n: 1 }), { exact: true }).fill("/site");
  await button(t("create.link.add")).click();
  await page.getByLabel(t("create.link.to", { n: 1 }), { exact: true }).selectOption("db");
  await page.waitForFunction(() => /--link db/.test(document.querySelector("[data-line]")?.textContent ?? ""));
  await look("create");
  await button(t("create.go")).click();
  await heading("web");
  await page.getByRole("log").getByText("ready").waitFor();
  const said = await (await context.request.get("http://127.0.0.1:8090/index.html")).text();
  assert.equal(said, "berth story");

  step("a terminal");
  await origin("#/container/web/terminal");
  await page.locator(".xterm-screen").waitFor();
  await page.locator(".xterm-helper-textarea").focus();
  await page.keyboard.type("wget -qO- http://127.0.0.1/; echo; grep -c db /etc/hosts; echo $((40+2))\n");
  await page.waitForFunction(() => /berth story/.test(document.querySelector(".xterm-accessibility-tree")?.textContent ?? "") && /42/.test(document.querySelector(".xterm-accessibility-tree")?.textContent ?? ""));
  if (shots) await page.screenshot({ path: join(shots, `terminal-${lang}.png`) });

  step("usage, files, the whole of it");
  await origin("#/container/web/figures");
  await page.waitForFunction(() => [...document.querySelectorAll(".big")].every((b) => b.textContent !== "…"));
  await look("figures");
  await origin("#/container/web/files");
  await page.getByRole("button", { name: "site/", exact: true }).click();
  const saved = page.waitForEvent("download");
  await button(t("files.get.of", { name: "index.html" })).click();
  assert.equal(readFileSync(await (await saved).path(), "utf8"), "berth story");
  await page.locator('input[type="file"]').setInputFiles({ name: "more.txt", mimeType: "text/plain", buffer: Buffer.from("sent up") });
  await page.getByText("more.txt", { exact: true }).waitFor();
  assert.equal(readFileSync(join(SITE, "more.txt"), "utf8"), "sent up");
  await look("files");
  await origin("#/container/web/inspect");
  await page.getByText('"/web"').waitFor();
  await look("inspect");

  step("the port of a running container is edited");
  const fetched = async (port) => (await context.request.get(`http://127.0.0.1:${port}/index.html`)).text();
  await origin("#/container/web/edit");
  const port = page.getByLabel(t("create.port.host", { n: 1 }), { exact: true });
  await port.waitFor();
  assert.equal(await port.inputValue(), "8090");
  await port.fill("8091");
  await page.getByLabel(t("create.memory"), { exact: true }).fill("64");
  await button(t("edit.look")).click();
  await page.locator("[data-plan]").getByText("8091:80").waitFor();
  await page.locator("[data-plan]").getByText("8090:80").waitFor();
  await page.getByText(t("edit.how.place"), { exact: true }).waitFor(); // the memory
  await page.getByText(t("edit.how.successor"), { exact: true }).first().waitFor(); // the port
  await page.locator(".warn").first().waitFor();
  assert.equal(await fetched(8090), "berth story", "a plan changed the container");
  await look("edit");
  await button(t("edit.go")).click();
  await page.locator('[data-ended="done"]').waitFor();
  assert.equal(await fetched(8091), "berth story");
  await assert.rejects(fetched(8090), "the old port is open still");
  assert.equal(readFileSync(join(SITE, "more.txt"), "utf8"), "sent up");

  step("an edit that fails goes back");
  await button(t("create.env.add")).click();
  const count = await page.locator("fieldset input.mono").count();
  await page.getByLabel(t("create.env.one", { n: count }), { exact: true }).fill("BREAK=1");
  await button(t("edit.look")).click();
  await page.locator("[data-plan]").getByText("BREAK=1").waitFor();
  await button(t("edit.go")).click();
  await page.locator('[data-ended="back"]').getByText(/exit code 3/).waitFor();
  await look("edit-back");
  assert.equal(await fetched(8091), "berth story");
  await button(t("edit.undo")).click();
  await page.getByText(t("edit.nothing"), { exact: true }).waitFor();

  step("a name changes in place");
  await page.getByLabel(t("create.name"), { exact: true }).fill("site");
  await button(t("edit.look")).click();
  await page.getByText(t("edit.stays"), { exact: true }).waitFor();
  await button(t("edit.go")).click();
  await heading("site");
  await page.waitForFunction(() => location.hash === "#/container/site/edit");

  step("an engine without berth's own paths cannot edit");
  await page.route("**/engine/berth/**", (r) => r.fulfill({ status: 404, contentType: "application/json", body: '{"message":"page not found"}' }));
  await origin("#/container/db/edit");
  await page.getByText(t("edit.cannot"), { exact: true }).waitFor();
  await look("edit-cannot");
  await page.unroute("**/engine/berth/**");

  step("a flood of lines");
  await page.evaluate(() => { location.hash = "#/create"; });
  await heading(t("create.title"));
  await page.getByLabel(t("create.paste"), { exact: true }).fill(`docker run -d --name flood ${IMAGE} sh -c "seq 1 100000; echo the last; exec sleep 1000"`);
  await button(t("create.paste.go")).click();
  await page.waitForFunction(() => /100000/.test(document.querySelector("[data-line]")?.textContent ?? ""));
  await button(t("create.go")).click();
  await heading("flood");
  await page.waitForFunction(() => Number(document.querySelector("[data-lines]")?.dataset.lines) === 100001);
  await page.getByRole("log").getByText("the last").waitFor();
  assert.ok((await page.locator(".rows > div").count()) < 200, "all lines are in the page");
  await page.getByLabel(t("logs.find"), { exact: true }).fill("99999");
  await page.waitForFunction(() => Number(document.querySelector("[data-lines]")?.dataset.lines) === 1);
  await page.getByLabel(t("logs.find"), { exact: true }).fill("");
  await look("logs");

  step("a Compose project as a whole");
  for (const [service, needs] of [["web", "db:service_started:false"], ["db", ""]]) {
    await origin("#/create");
    await heading(t("create.title"));
    await page.getByLabel(t("create.paste"), { exact: true }).fill(`docker run -d --name shop-${service}-1 --stop-timeout 0 --label com.docker.compose.project=shop --label com.docker.compose.service=${service} --label com.docker.compose.depends_on=${needs} ${IMAGE} sleep 1000`);
    await button(t("create.paste.go")).click();
    await page.waitForFunction((n) => document.querySelector("[data-line]")?.textContent.includes(n), `shop-${service}-1`);
    await button(t("create.go")).click();
    await heading(`shop-${service}-1`);
  }
  await origin("#/containers");
  await button(t("act.stop.of", { name: "shop" })).click();
  for (const service of ["web", "db"]) await button(t("act.start.of", { name: `shop-${service}-1` })).waitFor();
  await button(t("act.start.of", { name: "shop" })).click();
  for (const service of ["web", "db"]) await button(t("act.stop.of", { name: `shop-${service}-1` })).waitFor();
  await look("project");
  await button(t("act.remove.of", { name: "shop" })).click();
  await page.getByRole("dialog").getByText("shop-db-1").waitFor();
  await look("project-remove");
  await page.getByRole("dialog").getByRole("button", { name: t("act.remove"), exact: true }).click();
  for (const service of ["web", "db"]) await page.getByRole("link", { name: `shop-${service}-1`, exact: true }).waitFor({ state: "detached" });
  await page.getByRole("link", { name: "site", exact: true }).waitFor();

  step("an unused image whose layers are all in use frees nothing");
  await origin("#/images");
  await heading(t("nav.images"));
  await page.getByLabel(t("images.get"), { exact: true }).fill(SPARE);
  await button(t("images.pull")).click();
  await page.getByRole("link", { name: SPARE, exact: true }).waitFor();
  await button(t("images.prune")).click();
  await page.locator('[data-freed="0"]').waitFor();
  await look("prune");
  await page.keyboard.press("Escape");

  step("every other page");
  for (const [hash, name, key] of [["#/containers", "containers", "nav.containers"], ["#/volumes", "volumes", "nav.volumes"], ["#/networks", "networks", "nav.networks"], ["#/events", "events", "nav.events"], ["#/machine", "machine", "nav.machine"]]) {
    await origin(hash);
    await heading(t(key));
    if (name === "machine") await page.getByText(t("machine.root"), { exact: true }).waitFor();
    await look(name);
  }
  await page.setViewportSize({ width: 390, height: 800 });
  await origin("#/containers");
  await heading(t("nav.containers"));
  assert.ok(await page.evaluate(() => document.documentElement.scrollWidth <= innerWidth), "a phone must scroll sideways");
  await look("phone");
  await page.setViewportSize({ width: 1280, height: 800 });

  step("the engine goes and comes back");
  writeFileSync(join(SIGNS, "kill"), "");
  await page.getByText(t("app.gone"), { exact: true }).waitFor();
  await look("gone");
  writeFileSync(join(SIGNS, "start"), "");
  await page.getByText(t("app.gone"), { exact: true }).waitFor({ state: "detached" });
  await page.getByRole("link", { name: "site", exact: true }).waitFor();

  step("removal by the keyboard alone");
  await button(t("act.remove.of", { name: "flood" })).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("dialog").getByRole("button", { name: t("act.remove"), exact: true }).focus();
  await page.keyboard.press("Enter");
  await page.getByRole("link", { name: "flood", exact: true }).waitFor({ state: "detached" });

  step("a second tab does not come in by the same link");
  const other = await browser.newPage({ locale: lang === "ko" ? "ko-KR" : "en-GB" });
  await other.goto(LINK);
  await other.getByText(t("app.closed"), { exact: true }).waitFor();
} catch (e) {
  wrong.push(String(e?.stack ?? e));
  console.log("at", page.url(), (await page.locator("main").innerText().catch(() => "")).slice(0, 1500), await page.locator(".notices").innerText().catch(() => ""));
}
await browser.close();
for (const w of new Set(wrong)) console.log("WRONG:", w);
process.exit(wrong.length > 0 ? 1 : 0);
