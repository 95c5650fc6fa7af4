// Files, uploads, vector stores and searches, by the helpers too.

import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import { all, assistant, client, otherClient, sdk, thread, upstream } from "./desk.mjs";
import { calls, says } from "./upstream.mjs";

const { files, uploads, vectorStores } = client;
const KNOTS = "The bowline is a knot that makes a fixed loop.";
const SAILS = "A spinnaker is a sail for going downwind.";
const SEARCH = { type: "file_search" };
const INCLUDE = ["step_details.tool_calls[*].file_search.results[*].content"];

const file = (text = KNOTS, name = "knots.txt") => sdk.toFile(Buffer.from(text), name);
const upload = async (text, name) => (await files.create({ file: await file(text, name), purpose: "assistants" })).id;

test("a file is kept, listed, read back and deleted", async () => {
  const expires_after = { anchor: "created_at", seconds: 3600 };
  const made = await files.create({ file: await file(), purpose: "vision", expires_after });
  assert.match(made.id, /^file-/);
  assert.deepEqual([made.filename, made.bytes, made.status], ["knots.txt", KNOTS.length, "processed"]);
  assert.equal(made.expires_at, made.created_at + 3600);
  assert.deepEqual(await files.retrieve(made.id), made);
  assert.ok((await all(files.list({ purpose: "vision", limit: 1 }))).some(({ id }) => id === made.id));
  assert.equal(await (await files.content(made.id)).text(), KNOTS);
  assert.equal((await files.waitForProcessing(made.id, { pollInterval: 20 })).id, made.id);
  await assert.rejects(otherClient.files.content(made.id), sdk.NotFoundError);
  assert.deepEqual(await files.delete(made.id), { id: made.id, object: "file", deleted: true });
  await assert.rejects(files.retrieve(made.id), { status: 404, param: "id" });
});

test("a file may come as a web stream or a blob", async () => {
  const blob = new File([KNOTS], "knots.txt", { type: "text/plain" });
  for (const source of [blob, new Response(KNOTS)]) {
    const made = await files.create({ file: source instanceof File ? source : await sdk.toFile(source, "knots.txt"), purpose: "vision" });
    assert.deepEqual([made.filename, made.bytes], ["knots.txt", KNOTS.length]);
  }
});

test("an upload in parts becomes a file", async () => {
  const fields = { filename: "knots.txt", purpose: "vision", bytes: KNOTS.length, mime_type: "text/plain" };
  const upload = await uploads.create(fields);
  const parts = [];
  for (const piece of [KNOTS.slice(9), KNOTS.slice(0, 9)]) {
    parts.push(await uploads.parts.create(upload.id, { data: await file(piece) }));
  }
  const md5 = createHash("md5").update(KNOTS).digest("hex");
  const done = await uploads.complete(upload.id, { part_ids: [parts[1].id, parts[0].id], md5 });
  assert.equal(done.status, "completed");
  assert.equal(await (await files.content(done.file.id)).text(), KNOTS);
  const other = await uploads.create(fields);
  assert.equal((await uploads.cancel(other.id)).status, "cancelled");
  await assert.rejects(uploads.complete(other.id, { part_ids: [] }), sdk.BadRequestError);
});

test("a vector store is kept, changed, listed and deleted", async () => {
  const made = await vectorStores.create({ name: "Shelf", expires_after: { anchor: "last_active_at", days: 7 } });
  assert.equal(made.expires_at, made.last_active_at + 7 * 86_400);
  assert.deepEqual(await vectorStores.retrieve(made.id), made);
  assert.equal((await vectorStores.update(made.id, { name: "Other" })).name, "Other");
  assert.ok((await all(vectorStores.list({ limit: 1 }))).some(({ id }) => id === made.id));
  assert.deepEqual(await vectorStores.delete(made.id), { id: made.id, object: "vector_store.deleted", deleted: true });
  await assert.rejects(vectorStores.retrieve(made.id), sdk.NotFoundError);
});

test("files go in and out of a store", async () => {
  const store = (await vectorStores.create({})).id;
  const first = await vectorStores.files.createAndPoll(store, { file_id: await upload(), attributes: { year: 2001 } });
  const second = await vectorStores.files.uploadAndPoll(store, await file(SAILS, "sails.md"));
  assert.deepEqual([first.status, second.status], ["completed", "completed"]);
  const where = { vector_store_id: store };
  assert.deepEqual((await vectorStores.files.update(first.id, { ...where, attributes: { year: 2002 } })).attributes, { year: 2002 });
  assert.equal((await vectorStores.files.retrieve(first.id, where)).attributes.year, 2002);
  assert.equal((await all(vectorStores.files.content(first.id, where)))[0].text, KNOTS);
  const filters = { type: "gte", key: "year", value: 2000 };
  const found = await all(vectorStores.search(store, { query: "a knot", filters }));
  assert.deepEqual(found.map(({ filename }) => filename), ["knots.txt"]);
  assert.equal((await all(vectorStores.search(store, { query: ["knot loop", "sail downwind"] }))).length, 2);
  assert.equal((await vectorStores.files.delete(second.id, where)).deleted, true);
  assert.deepEqual((await all(vectorStores.files.list(store))).map(({ id }) => id), [first.id]);
});

test("batches take many files in", async () => {
  const store = (await vectorStores.create({})).id;
  const file_ids = [await upload(), await upload(SAILS, "sails.md")];
  const batch = await vectorStores.fileBatches.createAndPoll(store, { file_ids });
  assert.deepEqual([batch.status, batch.file_counts.completed], ["completed", 2]);
  const where = { vector_store_id: store };
  assert.deepEqual(await vectorStores.fileBatches.retrieve(batch.id, where), batch);
  const listed = await all(vectorStores.fileBatches.listFiles(batch.id, { ...where, limit: 1 }));
  assert.deepEqual(listed.map(({ id }) => id).sort(), file_ids.sort());
  const both = { files: [await file("One.", "1.txt"), await file("Two.", "2.txt")], fileIds: [await upload()] };
  const uploaded = await vectorStores.fileBatches.uploadAndPoll(store, both);
  assert.equal(uploaded.file_counts.completed, 3);
  await assert.rejects(vectorStores.fileBatches.cancel(batch.id, where), sdk.BadRequestError);
});

test("a run searches in what is attached to its message", async () => {
  const look = ["call_s", "file_search", '{"query":', '"which knot"}'];
  const assistant_id = await assistant(await upstream.model(calls(look), says("The bowline.")), SEARCH);
  const thread_id = await thread();
  const attachments = [{ file_id: await upload(), tools: [SEARCH] }];
  const { messages, runs } = client.beta.threads;
  await messages.create(thread_id, { role: "user", content: "Which knot?", attachments });
  const stream = runs.stream(thread_id, { assistant_id, include: INCLUDE });
  const done = [];
  stream.on("toolCallDone", (call) => done.push(call));
  const run = await stream.finalRun();
  assert.equal(run.status, "completed");
  assert.deepEqual(done.map(({ type }) => type), ["file_search"]);
  const where = { thread_id, order: "asc", include: INCLUDE };
  const [searched] = await all(runs.steps.list(run.id, where));
  const [result] = searched.step_details.tool_calls[0].file_search.results;
  assert.deepEqual([result.file_name, result.content], ["knots.txt", [{ type: "text", text: KNOTS }]]);
  const plain = await runs.steps.retrieve(searched.id, { thread_id, run_id: run.id });
  assert.equal(plain.step_details.tool_calls[0].file_search.results[0].content ?? null, null);
});
