import { type Bus, partitionOf, subjects } from "@parley/bus";

const gatherMs = 300;
/** A name can take 400 bytes, and a message of NATS a mebibyte. */
const namesPerMessage = 500;

/**
 * Says now and then which rooms got messages, so that gateways tell members who are not in them how much they have not
 * read. Gathered, because it serves people who look elsewhere; it never waits on a message, nor a message on it.
 */
export function createActivity(bus: Bus): { note(room: string): void; close(): void } {
  const rooms = new Set<string>();
  let timer: NodeJS.Timeout | null = null;
  const tell = () => {
    timer = null;
    const byPartition = new Map<number, string[]>();
    for (const room of rooms) {
      const partition = partitionOf(room);
      const list = byPartition.get(partition);
      if (list) list.push(room);
      else byPartition.set(partition, [room]);
    }
    rooms.clear();
    for (const [partition, names] of byPartition)
      for (let i = 0; i < names.length; i += namesPerMessage)
        bus.publish(subjects.activity(partition), JSON.stringify(names.slice(i, i + namesPerMessage)));
  };
  return {
    note(room) {
      rooms.add(room);
      timer ??= setTimeout(tell, gatherMs);
    },
    close() {
      if (timer) clearTimeout(timer);
      if (rooms.size > 0) tell();
    },
  };
}
