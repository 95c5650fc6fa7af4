// What each file of tests begins with: the SDK, the real server, an upstream that plays turns.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { createInterface } from "node:readline";
import { after } from "node:test";
import { pathToFileURL } from "node:url";
import { Upstream } from "./upstream.mjs";

const { ROPEWALK_BIN = "target/debug/ropewalk", SDK_MODULES = "target/node/node_modules", SDK = "openai7" } = process.env;

/** The SDK under test; it is installed outside of the source tree. */
export const sdk = await import(pathToFileURL(resolve(SDK_MODULES, SDK, "index.mjs")));

export const upstream = await Upstream.start();

const KEY = "sk-org-a-0123456789abcdef";
const OTHER_KEY = "sk-org-b-0123456789abcdef";
const folder = await mkdtemp(join(tmpdir(), "ropewalk-"));
const server = await serve();

export const client = connect(KEY);

/** The same server, seen by another organisation. */
export const otherClient = connect(OTHER_KEY);

/** What fails is not tried again, so that a test sees it. */
export function connect(apiKey, more = {}) {
  return new sdk.OpenAI({ baseURL: server.baseURL, apiKey, maxRetries: 0, ...more });
}

async function serve() {
  const keys = [[KEY, "org-a"], [OTHER_KEY, "org-b"]].map(([key, organization]) => ({ key, organization }));
  await writeFile(join(folder, "keys.json"), JSON.stringify({ keys }));
  const flags = ["--data-dir", "data", "--api-keys", "keys.json", ...upstream.flags];
  const own = Object.entries(process.env).filter(([name]) => !name.startsWith("ROPEWALK_"));
  const child = spawn(resolve(ROPEWALK_BIN), ["serve", "--listen", "127.0.0.1:0", ...flags], {
    cwd: folder,
    env: { ...Object.fromEntries(own), NO_COLOR: "1" },
    stdio: ["ignore", "ignore", "pipe"],
  });
  const log = [];
  for await (const line of createInterface(child.stderr)) {
    log.push(line);
    const [, url] = line.match(/listening on (http:\/\/127\.0\.0\.1:\d+)/) ?? [];
    // The log must be read on, or the server would wait for its reader.
    child.stderr.resume();
    if (url) return { child, baseURL: `${url}/v1` };
  }
  assert.fail(`the server did not start:\n${log.join("\n")}`);
}

after(async () => {
  server.child.kill("SIGTERM");
  const [code] = await once(server.child, "exit");
  await upstream.stop();
  await rm(folder, { recursive: true });
  assert.equal(code, 0);
});

export const QUOTE = {
  type: "function",
  function: {
    name: "quote_share",
    description: "Looks up what one share trades at.",
    parameters: { type: "object", properties: { symbol: { type: "string" } }, required: ["symbol"] },
  },
};

const PRICES = { AAPL: 231.5, MSFT: 418 };

/** Answers every call that a run waits for. */
export function outputsFor(run) {
  return run.required_action.submit_tool_outputs.tool_calls.map((call) => {
    const { symbol } = JSON.parse(call.function.arguments);
    return { tool_call_id: call.id, output: JSON.stringify({ symbol, price: PRICES[symbol] }) };
  });
}

/** A new assistant, its id. */
export async function assistant(model, ...tools) {
  return (await client.beta.assistants.create({ model, tools })).id;
}

/** A new thread with these user messages, its id. */
export async function thread(...texts) {
  const messages = texts.map((content) => ({ role: "user", content }));
  return (await client.beta.threads.create({ messages })).id;
}

/** All rows of a list, page after page. */
export async function all(list) {
  const rows = [];
  for await (const row of list) rows.push(row);
  return rows;
}

/** What the assistant said in a thread, oldest first. */
export async function answers(threadId) {
  const messages = await all(client.beta.threads.messages.list(threadId, { order: "asc" }));
  return messages.filter(({ role }) => role === "assistant").map(({ content }) => content[0].text.value);
}
