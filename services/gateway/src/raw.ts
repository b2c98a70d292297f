/** `/raw/{room}`: whatever anyone sends reaches everyone in the room, on every node, byte for byte. Nothing is stored. */

import type { TemplatedApp, WebSocket, WebSocketBehavior } from "uWebSockets.js";
import type { Subscription } from "@nats-io/nats-core";
import type { Bus } from "@parley/bus";
import { subjects } from "@parley/bus";
import { closeCodes, greeting, limits } from "@parley/protocol";
import { type Bucket, fullBucket, takeToken } from "./rate-limit.ts";

export interface RawSeat {
  readonly room: string;
  bucket: Bucket;
}

interface RawRoom {
  sockets: number;
  subscription: Subscription;
}

export interface RawOptions {
  app: TemplatedApp;
  bus: Bus;
  framesPerSecond: number;
  framesBurst: number;
}

const topicOf = (room: string): string => `raw/${room}`;

export const createRawSeat = (room: string, burst: number): RawSeat => ({
  room,
  bucket: fullBucket(burst, performance.now()),
});

export function createRaw(options: RawOptions): {
  behavior: WebSocketBehavior<RawSeat>;
  sockets: () => Set<WebSocket<RawSeat>>;
} {
  const { app, bus } = options;
  const rooms = new Map<string, RawRoom>();
  const sockets = new Set<WebSocket<RawSeat>>();

  const subscribe = (room: string): RawRoom => ({
    sockets: 0,
    subscription: bus.nc.subscribe(subjects.raw(room), {
      callback: (error, msg) => {
        if (!error && msg.data.length > 0) app.publish(topicOf(room), msg.data.subarray(1), msg.data[0] === 1, false);
      },
    }),
  });

  const behavior: WebSocketBehavior<RawSeat> = {
    maxPayloadLength: limits.frameBytes,
    maxBackpressure: limits.waitingBytes,
    idleTimeout: limits.idleTimeoutMs / 1000,
    sendPingsAutomatically: true,
    compression: 0,
    open(ws) {
      const { room } = ws.getUserData();
      let raw = rooms.get(room);
      if (!raw) {
        raw = subscribe(room);
        rooms.set(room, raw);
      }
      raw.sockets++;
      sockets.add(ws);
      ws.subscribe(topicOf(room));
      ws.send(greeting, false, false);
    },
    message(ws, message, isBinary) {
      const { room, bucket } = ws.getUserData();
      if (takeToken(bucket, options.framesPerSecond, options.framesBurst, performance.now()) > 0)
        return ws.end(closeCodes.tooMany.code, closeCodes.tooMany.reason);
      // uWebSockets takes its buffer back after this turn, and NATS sends later: a copy of our own.
      const payload = Buffer.allocUnsafe(message.byteLength + 1);
      payload[0] = isBinary ? 1 : 0;
      payload.set(new Uint8Array(message), 1);
      bus.publish(subjects.raw(room), payload);
    },
    dropped(ws) {
      setImmediate(() => sockets.has(ws) && ws.close());
    },
    close(ws) {
      const { room } = ws.getUserData();
      sockets.delete(ws);
      const raw = rooms.get(room);
      if (!raw || --raw.sockets > 0) return;
      raw.subscription.unsubscribe();
      rooms.delete(room);
    },
  };
  return { behavior, sockets: () => sockets };
}
