import type { ServerEvent } from "@parley/client";
import { useEffect, useInsertionEffect, useRef } from "react";
import { useParley } from "./parley-provider.ts";

/**
 * Calls the latest `listener` with each server event of this name: the protocol's own, or one that `Emit` or the server
 * API chose. With `room` only with those of that room.
 */
export function useEvent<Data = unknown>(
  event: string,
  listener: (data: Data, frame: ServerEvent<Data>) => void,
  { room }: { room?: string } = {},
): void {
  const client = useParley();
  const latest = useRef(listener);
  // Before all other effects, so that none meets the listener of an earlier rendering.
  useInsertionEffect(() => {
    latest.current = listener;
  });
  useEffect(
    () =>
      client.on("event", (frame) => {
        if (frame.event !== event || (room !== undefined && frame.room !== room)) return;
        latest.current(frame.data as Data, frame as ServerEvent<Data>);
      }),
    [client, event, room],
  );
}
