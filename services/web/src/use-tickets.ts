import type { TicketsData } from "@parley/client";
import { useConnection, useEvent, useParley } from "@parley/react";
import { useCallback, useEffect, useState } from "react";

/**
 * The tickets of a status that this user may see, kept up to date; null while they are asked for the first time.
 * Only the last question's answer is shown: an earlier one may be about another status, and come later.
 */
export function useTickets(status: string) {
  const client = useParley();
  const { state } = useConnection();
  const [changes, setChanges] = useState(0);
  const [shown, setShown] = useState<(TicketsData & { status: string }) | null>(null);

  const refresh = useCallback(() => setChanges((count) => count + 1), []);
  useEvent("ticket", refresh);

  // biome-ignore lint/correctness/useExhaustiveDependencies: each change asks again
  useEffect(() => {
    if (state !== "online") return;
    let wanted = true;
    client.call<TicketsData>("Tickets", { status }).then(
      (answer) => {
        if (wanted) setShown({ ...answer, status });
      },
      // Asked again with the next word of a ticket, or the next connection.
      () => {},
    );
    return () => {
      wanted = false;
    };
  }, [client, status, state, changes]);

  return { tickets: shown?.status === status ? shown.tickets : null, agent: shown?.agent ?? false, refresh };
}
