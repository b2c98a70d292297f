import type { TicketsData } from "@parley/client";
import { useConnection, useEvent, useParley } from "@parley/react";
import { useCallback, useEffect, useState } from "react";

const none: TicketsData = { tickets: [], next: null, agent: false };

/** The tickets of a status that this user may see, kept up to date. */
export function useTickets(status: string): TicketsData & { refresh: () => void } {
  const client = useParley();
  const { state } = useConnection();
  const [data, setData] = useState(none);

  const refresh = useCallback(() => {
    let wanted = true;
    client.call<TicketsData>("Tickets", { status }).then(
      (answer) => {
        if (wanted) setData(answer);
      },
      // Asked again with the next word of a ticket, or the next connection.
      () => {},
    );
    return () => {
      wanted = false;
    };
  }, [client, status]);

  useEffect(() => (state === "online" ? refresh() : undefined), [refresh, state]);
  useEvent("ticket", () => void refresh());
  return { ...data, refresh };
}
