import assert from "node:assert/strict";
import test from "node:test";
import type { Bus, Requester } from "@parley/bus";
import { createPresence } from "../src/presence.ts";
import type { PresenceReport } from "../src/presence-report.ts";
import { type Link, newSession } from "../src/session.ts";

test("[S3] no Heartbeat for 60 s makes a session idle, and the next one ends it; each is reported once", () => {
  const reported: boolean[] = [];
  const report = { changed: ({ idle }: { idle: boolean }) => reported.push(idle) } as unknown as PresenceReport;
  const presence = createPresence({ bus: {} as Bus, requester: {} as Requester<never, never>, report });
  const session = newSession("s", {} as Link, 1);
  session.stage = "registered";
  const { lastHeartbeatMs } = session;
  presence.sweep([session], lastHeartbeatMs + 59_999);
  assert.deepEqual(reported, []);
  presence.sweep([session], lastHeartbeatMs + 60_000);
  presence.sweep([session], lastHeartbeatMs + 90_000);
  assert.deepEqual(reported, [true]);
  presence.awake(session);
  presence.awake(session);
  assert.deepEqual(reported, [true, false]);
});
