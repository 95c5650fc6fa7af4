// Errors as the SDK's classes, with all their fields.

import assert from "node:assert/strict";
import { test } from "node:test";
import { QUOTE, assistant, client, connect, sdk, thread, upstream } from "./desk.mjs";
import { calls, refuses, says } from "./upstream.mjs";

const { threads } = client.beta;

/** What a call fails with, which must be one of the API's errors. */
async function failure(call) {
  const error = await call.then(() => assert.fail("it did not fail"), (error) => error);
  assert.ok(error instanceof sdk.APIError, String(error));
  assert.match(error.requestID, /^req_/);
  return error;
}

test("a bad request says which parameter is wrong", async () => {
  const error = await failure(client.beta.assistants.create({ model: "m", name: "x".repeat(257) }));
  assert.ok(error instanceof sdk.BadRequestError);
  const { status, code, param, type } = error;
  assert.deepEqual(
    { status, code, param, type },
    { status: 400, code: "string_above_max_length", param: "name", type: "invalid_request_error" },
  );
  assert.match(error.message, /^400 Invalid 'name': string too long\./);
});

test("what is not there is not found", async () => {
  const error = await failure(threads.retrieve("thread_missing"));
  assert.ok(error instanceof sdk.NotFoundError);
  const { code, param, type } = error;
  assert.deepEqual({ code, param, type }, { code: null, param: null, type: "invalid_request_error" });
  assert.equal(error.message, "404 No thread found with id 'thread_missing'.");
});

test("a wrong key is refused", async () => {
  const error = await failure(connect("sk-wrong-key-0123456789").beta.threads.create());
  assert.ok(error instanceof sdk.AuthenticationError);
  assert.deepEqual([error.status, error.code], [401, "invalid_api_key"]);
});

test("a wrong organisation is refused", async () => {
  const error = await failure(connect(client.apiKey, { organization: "org-b" }).beta.threads.create());
  assert.deepEqual([error.status, error.code], [401, "mismatched_organization"]);
});

test("a busy thread takes no message, no second run and no wrong output", async () => {
  const model = await upstream.model(calls(["call_a", "quote_share", "{}"]));
  const assistant_id = await assistant(model, QUOTE);
  const thread_id = await thread("Begin.");
  const run = await threads.runs.createAndPoll(thread_id, { assistant_id });
  assert.equal(run.status, "requires_action");
  const message = threads.messages.create(thread_id, { role: "user", content: "And?" });
  assert.equal(
    (await failure(message)).message,
    `400 Can't add messages to ${thread_id} while a run ${run.id} is active.`,
  );
  const again = threads.runs.create(thread_id, { assistant_id });
  assert.equal((await failure(again)).message, `400 Thread ${thread_id} already has an active run ${run.id}.`);
  const tool_outputs = [{ tool_call_id: "call_z", output: "0" }];
  const submitted = threads.runs.submitToolOutputs(run.id, { thread_id, tool_outputs });
  assert.equal(
    (await failure(submitted)).message,
    "400 Expected tool outputs for call_ids ['call_a'], got ['call_z']",
  );
  await threads.runs.cancel(run.id, { thread_id });
  const cancelled = await threads.runs.poll(run.id, { thread_id });
  assert.equal(cancelled.status, "cancelled");
  const twice = await failure(threads.runs.cancel(run.id, { thread_id }));
  assert.equal(twice.message, "400 Cannot cancel run with status 'cancelled'.");
});

test("an upstream that stays broken fails the run, not the request", async () => {
  const model = await upstream.model(...Array.from({ length: 9 }, () => refuses(500, "The engine room is on fire.")));
  const run = await threads.createAndRunPoll({ assistant_id: await assistant(model), thread: { messages: [] } });
  assert.equal(run.status, "failed");
  assert.equal(run.last_error.code, "server_error");
  assert.doesNotMatch(run.last_error.message, /on fire/);
});

test("every reply names its request", async () => {
  const { data, response } = await threads.create().withResponse();
  assert.match(data._request_id, /^req_/);
  assert.equal(response.headers.get("x-request-id"), data._request_id);
  const model = await upstream.model(says("Done."));
  assert.notEqual((await client.beta.assistants.create({ model }))._request_id, data._request_id);
});
