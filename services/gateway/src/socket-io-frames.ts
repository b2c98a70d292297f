/** Frames as Socket.IO clients hear them: an event of the frame's name, with the frame less `eventType` and `event`. */

export interface Heard {
  event: string;
  /** JSON text of an object. */
  bodyJson: string;
}

/** As nearly all frames are written; the event's name has no escapes then. */
const usual = /^\{"eventType":"ServerEvent","event":"([^"\\]{1,64})",/;

/** What `socket.on(event)` gets of a server event. */
export function heardOf(frame: string): Heard {
  const match = usual.exec(frame);
  if (match) return { event: match[1] as string, bodyJson: `{${frame.slice(match[0].length)}` };
  const { eventType: _, event, ...body } = JSON.parse(frame) as { eventType: string; event: string };
  return { event, bodyJson: JSON.stringify(body) };
}

/** A packet of Socket.IO's default namespace: an event with one argument. */
export const eventPacket = ({ event, bodyJson }: Heard): string => `2[${JSON.stringify(event)},${bodyJson}]`;

/** Names that Socket.IO keeps for itself: its clients would take them for their own connection's. */
export const reservedEvents: ReadonlySet<string> = new Set([
  "connect", "connect_error", "disconnect", "disconnecting", "newListener", "removeListener",
]); // biome-ignore format: one list
