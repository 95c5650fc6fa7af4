// What each file of tests begins with: the SDK, the real server, an upstream that plays turns.

import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { resolve } from "node:path";
import { createInterface } from "node:readline";
import { after } from "node:test";
import { fileURLToPath, pathToFileURL } from "node:url";
import { Upstream } from "./upstream.mjs";

const {
  HARNESS_PYTHON = "target/python/contract/bin/python",
  SDK_MODULES = "target/node/node_modules",
  SDK = "openai7",
} = process.env;

/** The SDK under test; it is installed outside of the source tree. */
export const sdk = await import(pathToFileURL(resolve(SDK_MODULES, SDK, "index.mjs")));

const program = fileURLToPath(new URL("../harness/desk.py", import.meta.url));
const desk = spawn(HARNESS_PYTHON, [program], { stdio: ["pipe", "pipe", "inherit"] });
const ended = once(desk, "exit");
const lines = createInterface(desk.stdout)[Symbol.asyncIterator]();
const servers = JSON.parse((await lines.next()).value);

export const upstream = new Upstream(servers.upstream);

export const client = connect("sk-org-a-0123456789abcdef");

/** The same server, seen by another organisation. */
export const otherClient = connect("sk-org-b-0123456789abcdef");

/** What fails is not tried again, so that a test sees it. */
export function connect(apiKey, more = {}) {
  return new sdk.OpenAI({ baseURL: servers.base_url, apiKey, maxRetries: 0, ...more });
}

after(async () => {
  desk.stdin.end();
  const [wrong, [code]] = await Promise.all([all(lines), ended]);
  assert.equal(code, 0, wrong.join("\n"));
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
