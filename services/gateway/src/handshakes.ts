/** Who may open a connection here and now: `/ws` and `/raw`, and what the other ways in ask before they let somebody in. */
import type { HttpRequest, HttpResponse, us_socket_context_t } from "uWebSockets.js";
import { checkRoomName } from "@parley/protocol";
import { answerPlain } from "./answer-plain.ts";
import type { ClientAddresses } from "./client-address.ts";
import { foreignOriginError, type Origins } from "./origins.ts";
import { createConnectionLimit } from "./rate-limit.ts";
import { createRawSeat } from "./raw.ts";
import { chooseSubprotocol, createSeat } from "./websocket.ts";

/** Why a connection may not be now, and when to try again. */
export interface ConnectionRefusal {
  error: string;
  retryAfterSeconds: number;
}

/** Why nobody new may come from there now, or null. */
export type RefuseConnection = (response: HttpResponse, request: HttpRequest) => ConnectionRefusal | null;

type Upgrade = (response: HttpResponse, request: HttpRequest, context: us_socket_context_t) => void;

export interface Handshakes {
  refusal: RefuseConnection;
  upgradeWebSocket: Upgrade;
  upgradeRaw: Upgrade;
  /** How many were refused: too many, or draining. */
  refused(): number;
}

export interface HandshakesOptions {
  addresses: ClientAddresses;
  origins: Origins;
  isDraining: () => boolean;
  connectionsPerSecondPerAddress: number;
  connectionsPerSecondPerNode: number;
  eventsBurst: number;
}

export function createHandshakes(options: HandshakesOptions): Handshakes {
  const { addresses, origins, eventsBurst } = options;
  const connections = createConnectionLimit(
    options.connectionsPerSecondPerAddress,
    options.connectionsPerSecondPerNode,
  );
  let refusedCount = 0;

  const refusal: RefuseConnection = (response, request) => {
    if (options.isDraining()) {
      refusedCount++;
      return { error: "This node is draining; connect again", retryAfterSeconds: 1 };
    }
    const address = addresses.of(response.getRemoteAddress(), request.getHeader("x-forwarded-for"));
    const waitMs = connections.take(address, performance.now());
    if (waitMs === 0) return null;
    refusedCount++;
    return { error: "Too many new connections; come back later", retryAfterSeconds: Math.ceil(waitMs / 1000) };
  };

  /** Refuses a handshake that may not be, and answers true. */
  const refuse = (response: HttpResponse, request: HttpRequest): boolean => {
    const why = refusal(response, request);
    if (why) answerPlain(response, "503 Service Unavailable", `${why.error}\n`, why.retryAfterSeconds);
    return why !== null;
  };

  return {
    refusal,
    upgradeWebSocket(response, request, context) {
      const subprotocol = chooseSubprotocol(request.getHeader("sec-websocket-protocol"));
      if (subprotocol === null) {
        const offer = "Offer parley.v1.json or parley.v1.msgpack, or no subprotocol\n";
        return answerPlain(response, "400 Bad Request", offer);
      }
      if (!origins.allows(request.getHeader("origin"), request.getHeader("host")))
        return answerPlain(response, "403 Forbidden", `${foreignOriginError}\n`);
      if (refuse(response, request)) return;
      const key = request.getHeader("sec-websocket-key");
      const extensions = request.getHeader("sec-websocket-extensions");
      response.upgrade(createSeat(subprotocol === "parley.v1.msgpack"), key, subprotocol, extensions, context);
    },
    upgradeRaw(response, request, context) {
      let room: string;
      try {
        room = checkRoomName(decodeURIComponent(request.getParameter(0) ?? ""));
      } catch {
        const rule = "The room's name has 1 to 128 characters and no control characters\n";
        return answerPlain(response, "400 Bad Request", rule);
      }
      if (refuse(response, request)) return;
      const key = request.getHeader("sec-websocket-key");
      const extensions = request.getHeader("sec-websocket-extensions");
      response.upgrade(createRawSeat(room, eventsBurst), key, "", extensions, context);
    },
    refused: () => refusedCount,
  };
}
