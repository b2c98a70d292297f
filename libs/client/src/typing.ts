import { type Sender, typingMs } from "@parley/protocol";

/** How often "still typing" is said again. */
const renewMs = typingMs / 2;

/** Who is typing in a room, each until they stop, send, or are not heard of for `typingMs`. */
export function createTyping(changed: () => void) {
  const typists = new Map<string, { sender: Sender; timer: ReturnType<typeof setTimeout> }>();
  let saidAtMs = 0;

  function stop(id: string) {
    clearTimeout(typists.get(id)?.timer);
    if (typists.delete(id)) changed();
  }

  return {
    names: (): readonly Sender[] => [...typists.values()].map(({ sender }) => sender),
    heard(sender: Sender, typing: boolean) {
      const known = typists.get(sender.id);
      if (!typing) return stop(sender.id);
      clearTimeout(known?.timer);
      typists.set(sender.id, { sender, timer: setTimeout(stop, typingMs, sender.id) });
      if (!known) changed();
    },
    stop,
    clear() {
      for (const id of [...typists.keys()]) stop(id);
    },
    /** Whether this must be told now, given what was told before. */
    mustSay(typing: boolean): boolean {
      if (typing ? Date.now() - saidAtMs < renewMs : saidAtMs === 0) return false;
      saidAtMs = typing ? Date.now() : 0;
      return true;
    },
    /** A message ends typing by itself, without a word. */
    sent() {
      saidAtMs = 0;
    },
  };
}
