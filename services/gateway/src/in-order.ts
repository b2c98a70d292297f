/**
 * [R4] for clients that send before the last answer is there: a message that names the one before it (`after`) is not stored
 * while that one was refused and may be sent again.
 */
export interface InOrder {
  /** Whether a message may be stored now; it is refused otherwise. */
  mayGo(clientMessageId: string, after: string | null): boolean;
  /** It was refused, and may be sent again. */
  refused(clientMessageId: string): void;
}

/** More are never under way: a session that is refused that often is closed. */
const maxRefused = 256;

export function createInOrder(): InOrder {
  const open = new Set<string>();
  const refused = (id: string) => {
    if (open.size >= maxRefused) open.delete(open.values().next().value as string);
    open.add(id);
  };
  return {
    mayGo(clientMessageId, after) {
      if (after !== null && open.has(after)) {
        refused(clientMessageId);
        return false;
      }
      open.delete(clientMessageId);
      return true;
    },
    refused,
  };
}
